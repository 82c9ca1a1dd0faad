"""Finding a group's key by what a person types."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


@pytest.fixture
def town(toy: Toy) -> Toy:
    """Two groups."""
    toy.add(2, "XETRA")
    toy.add(1, "LSE")
    return toy


def test_a_group_is_found_by_its_key(town: Toy):
    assert town.value("find_group", p_group="LSE") == "LSE"


@pytest.mark.parametrize("group", ["XETR", "xetra", "XTERA"])
def test_a_misspelt_group_is_an_error_that_names_what_was_meant(town: Toy, group: str):
    with town.refused("HG006", f"unknown group: '{group}'", "did you mean XETRA?", "LSE, XETRA"):
        town.value("find_group", p_group=group)


def test_no_group_at_all_is_an_error(town: Toy):
    with town.refused("HG006", "unknown group: null", "known groups: LSE, XETRA"):
        town.value("find_group", p_group=None)
