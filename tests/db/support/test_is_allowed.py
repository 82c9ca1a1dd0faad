"""What robots.txt allows, matched in SQL and compared with protego, a parser that crawlers use."""

from __future__ import annotations

import itertools

import pytest
from protego import Protego

from headgate.handlers import Document
from headgate.handlers.robots import parse_robots
from tests.db.assets.site import HOME, robots, site
from tests.db.toy import Toy

RULES = (
    "-/",
    "+/a",
    "-/a/b",
    "-/*.pdf$",
    "+/a/*/c",
    "-/*?sort=",
    "-/%7Eme",
    "-/100%25_x",
    "+/a/b$",
    "-*/c",
    "-/ü",
)
PATHS = (
    "/",
    "/a",
    "/a/b",
    "/a/b/c",
    "/x.pdf",
    "/x.pdf?x",
    "/a/x?y=1&sort=2",
    "/~me/x",
    "/100%25_x",
    "/100%25yx",
    "/%C3%BC",
)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_rules_mean_what_protego_says_that_they_mean(toy: Toy, count: int):
    shop = site(toy, "/")
    for rules in itertools.combinations(RULES, count):
        lines = [f"{'Allow' if x[0] == '+' else 'Disallow'}: {x[1:]}" for x in rules]
        text = "\n".join(["User-agent: headgate", *lines])
        ours = [
            f"{'+' if x['is_allowed'] else '-'}{x['pattern']}"
            for x in parse_robots(Document(text.encode()))["rules"]
        ]
        robots(shop, *ours)
        rows = shop.sql(
            "select p as path, headgate.is_allowed('site', p) as may from unnest(%(paths)s::text[]) as p",
            paths=list(PATHS),
        )
        second = Protego.parse(text)
        assert {x["path"]: x["may"] for x in rows} == {
            x: second.can_fetch(HOME + x, "headgate") for x in PATHS
        }, text


def test_a_site_without_rules_allows_everything(toy: Toy):
    assert site(toy, "/").scalar("select headgate.is_allowed('site', '/x')") is True
