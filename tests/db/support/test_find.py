"""An unknown name is answered with similar names and a list of the known ones."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy

NAMES = ["max_assets", "exchanges", "tickers", "mode", "quota", "LS", "LSE", "XETRA"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("exchange", ["exchanges"]),
        ("tikers", ["tickers"]),
        ("TICKERS", ["tickers"]),
        ("qouta", ["quota"]),
        ("mdoe", ["mode"]),
        ("max-assets", ["max_assets"]),
        ("LES", ["LS", "LSE"]),
        ("colour", []),
        ("", []),
    ],
)
def test_a_misspelt_name_is_near_what_was_meant(toy: Toy, typed: str, meant: list[str]):
    near = toy.scalar("select headgate._near(%(typed)s, %(names)s)", typed=typed, names=NAMES)

    assert near == meant


def test_the_closest_comes_first_and_three_are_enough(toy: Toy):
    near = toy.scalar(
        "select headgate._near('shop_norml', %(names)s)",
        names=["shop_low", "shop_normal", "shop_normals", "shop_norm", "side_normal"],
    )

    assert near[0] in ("shop_norm", "shop_normal")
    assert len(near) == 3


@pytest.mark.parametrize(
    ("code", "meant", "function", "arguments"),
    [
        ("HG001", "library", "check_run", {"p_pipeline": "librari"}),
        (
            "HG002",
            "monday-1",
            "execution_status",
            {"p_pipeline": "library", "p_run_id": "monday-2"},
        ),
        (
            "HG003",
            "west",
            "step_status",
            {"p_pipeline": "library", "p_run_id": "monday-1", "p_step": "wets"},
        ),
        ("HG004", "history", "note_load", {"p_operation": "histroy"}),
        ("HG005", "shop", "set_provider", {"p_provider": "shoop", "p_changes": {}}),
        (
            "HG006",
            "NORTH",
            "check_run",
            {"p_pipeline": "library", "p_params": {"groups": ["NROTH"]}},
        ),
        ("HG007", "max_new", "check_run", {"p_pipeline": "library", "p_params": {"max_nwe": 1}}),
        ("HG008", "shop_low", "check_queues", {"p_queues": ["shop_lwo"]}),
    ],
)
def test_every_kind_of_name_is_answered_so(
    toy: Toy, code: str, meant: str, function: str, arguments: dict[str, Any]
):
    toy.add(1, "NORTH", "books")
    toy.start("monday-1", "library")
    if function == "note_load":
        arguments = {**arguments, "p_asset_ids": [], "p_records": [], "p_watermarks": []}

    with toy.refused(code, f"did you mean {meant}"):
        toy.call(function, **arguments)
