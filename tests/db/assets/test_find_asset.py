"""Finding an asset by what a person types."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


@pytest.fixture
def town(toy: Toy) -> Toy:
    """Three listings, two of one symbol."""
    toy.upsert([{"code": x, "group_key": "A"} for x in ("AAPL.US", "AAPL.F", "VOD.LSE", "VOD")])
    return toy


def find(toy: Toy, code: str | None) -> str:
    """Return the code of the asset that is found."""
    asset = toy.value("find_asset", p_universe="things", p_code=code)
    return str(toy.scalar("select code from headgate.assets where asset_id = %(id)s", id=asset))


def test_a_code_is_found(town: Toy):
    assert find(town, "AAPL.US") == "AAPL.US"


def test_a_code_goes_before_a_symbol(town: Toy):
    assert find(town, "VOD") == "VOD"


def test_a_symbol_that_fits_one_code_is_enough(town: Toy):
    town.upsert([{"code": "SAP.F", "group_key": "A"}])

    assert find(town, "SAP") == "SAP.F"


def test_a_symbol_that_fits_several_codes_is_an_error_that_lists_them(town: Toy):
    with town.refused("HG010", "'AAPL' is ambiguous", "AAPL.F, AAPL.US"):
        find(town, "AAPL")


@pytest.mark.parametrize("code", ["AAP", "aapl.us", "", None, "%", "AAPL.US'; drop table x --"])
def test_anything_else_is_an_error(town: Toy, code: str | None):
    with town.refused("HG009", "unknown asset in universe things"):
        find(town, code)


@pytest.mark.parametrize(
    ("code", "meant"),
    [("APPL.US", "AAPL.US"), ("aapl.f", "AAPL.F"), ("APPL", "AAPL"), ("VOD.LS", "VOD.LSE")],
)
def test_similar_codes_are_named(town: Toy, code: str, meant: str):
    with town.refused(
        "HG009", f"'{code}'", f"did you mean {meant}? codes look like AAPL.US; headgate.v_assets"
    ):
        find(town, code)
    with town.refused("HG009", f"unknown asset: '{code}'", f"did you mean {meant}"):
        town.value("find_asset", p_universe=None, p_code=code)


def test_another_universe_is_not_searched(town: Toy):
    town.upsert([{"code": "EURUSD", "group_key": "FX"}], universe="others")

    with town.refused("HG009"):
        find(town, "EURUSD")


def test_without_a_universe_the_only_one_that_has_the_code_is_searched(town: Toy):
    town.upsert([{"code": "EURUSD", "group_key": "FX"}], universe="others")
    found = town.value("find_asset", p_universe=None, p_code="EURUSD")

    assert found == town.value("find_asset", p_universe="others", p_code="EURUSD")
    town.upsert([{"code": "VOD.LSE", "group_key": "FX"}], universe="others")
    with town.refused("HG010", "'VOD.LSE' is in several universes", "others, things"):
        town.value("find_asset", p_universe=None, p_code="VOD.LSE")
    with town.refused("HG009", "unknown asset: 'NOBODY'"):
        town.value("find_asset", p_universe=None, p_code="NOBODY")
