"""Searching assets by what a person types."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


@pytest.fixture
def town(toy: Toy) -> Toy:
    """Listings, some of one symbol."""
    codes = ("AAPL.US", "AAPL.F", "AAPL", "AAPLX.US", "VOD.LSE", "50%.US")
    toy.upsert([{"code": x, "group_key": "A"} for x in codes])
    return toy


def found(toy: Toy, text: str | None, **more: int) -> list[str]:
    """Return the codes found; a near miss has a question mark."""
    rows = toy.call("find_assets", p_text=text, **more)
    return [x["code"] + "?" * x["is_near_miss"] for x in rows]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("AAPL", ["AAPL", "AAPL.F", "AAPL.US", "AAPLX.US"]),
        (" aapl.u", ["AAPL.US"]),
        ("v", ["VOD.LSE"]),
        ("%", []),
        ("50%", ["50%.US"]),
        ("", []),
        (None, []),
    ],
)
def test_codes_that_begin_with_the_text_are_found_the_code_itself_first(
    town: Toy, text: str | None, codes: list[str]
):
    assert found(town, text) == codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("AAPM.US", ["AAPL.US?"]),
        ("vodd", ["VOD.LSE?"]),
        ("zzz", []),
        ("AAPL.US'; drop table x --", []),
    ],
)
def test_without_any_similar_codes_are_near_misses(town: Toy, text: str, codes: list[str]):
    assert found(town, text) == codes


def test_no_more_assets_are_found_than_asked_for(town: Toy):
    assert found(town, "aapl", p_limit=2) == ["AAPL", "AAPL.F"]
