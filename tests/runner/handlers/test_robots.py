"""robots.txt by RFC 9309: which rules apply to Headgate."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.handlers import Document
from headgate.handlers.robots import parse_robots


def robots(text: str | bytes) -> dict[str, Any]:
    return parse_robots(Document(text.encode() if isinstance(text, str) else text))


def rules(text: str | bytes) -> list[str]:
    return [f"{'+' if x['is_allowed'] else '-'}{x['pattern']}" for x in robots(text)["rules"]]


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", ["-/a", "+/a/b"]),
        ("user-AGENT : HeadGate/2.0\ndisallow:/a", ["-/a"]),
        ("User-agent: *\nDisallow: /a\n\nUser-agent: headgate\nDisallow: /b", ["-/b"]),
        ("User-agent: headgate\nDisallow:\nUser-agent: *\nDisallow: /", []),
        ("User-agent: headgate\nUser-agent: other\nDisallow: /a", ["-/a"]),
        (
            "User-agent: headgate\nDisallow: /a\nUser-agent: x\nDisallow: /b\nUser-agent: headgate\nDisallow: /c",
            ["-/a", "-/c"],
        ),
        ("User-agent: headgatebot\nDisallow: /", []),
        ("Disallow: /nobody\nUser-agent: *\nDisallow: /a # why", ["-/a"]),
        ("User-agent: *\nSitemap: http://x.test/\nDisallow: /a b*Ü$", ["-/a%20b*%C3%9C$"]),
        ("User-agent: *\nDisallow: a\nDisallow: */b", ["-*/b"]),
        ("\ufeffUser-agent: *\r\nDisallow: /a\rDisallow: /b", ["-/a", "-/b"]),
        (b"User-agent: *\nDisallow: /\xe4\0", ["-/%EF%BF%BD"]),
        ("<html><title>Not found</title></html>", []),
        ("", []),
    ],
)
def test_rules_are_those_of_our_groups_or_else_of_everybody_s(text: str | bytes, ours: list[str]):
    assert rules(text) == ours


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("2.5", 2.5), ("nan", None), ("-1", None), ("soon", None), ("1e9", 86_400)],
)
def test_the_crawl_delay_is_seconds(said: str, seconds: float | None):
    assert robots(f"User-agent: *\nCrawl-delay: {said}\n")["crawl_delay"] == seconds


def test_a_robots_file_is_read_up_to_500_kib():
    filler = "# " + 1_000 * "x" + "\n"
    assert rules("User-agent: *\n" + 600 * filler + "Disallow: /late") == []
