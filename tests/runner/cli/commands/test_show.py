"""`headgate show`: one asset, the state of each of its needs, and its latest jobs."""

from __future__ import annotations

from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.runner.small_plan import write_plan


def fail(plan: Plan) -> None:
    """Let all jobs of the run fail for good."""
    for chunk in plan.call("claim_jobs", p_runner="w1", p_max_chunks=9):
        plan.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=chunk["asset_ids"],
            p_outcomes=["failed"] * len(chunk["asset_ids"]),
            p_errors=["it is broken"] * len(chunk["asset_ids"]),
        )


def test_an_asset_s_needs_and_last_jobs_are_shown(shown: Ask, asked: Ask, monday: Plan):
    assert " held" in shown("show", "T1")
    fail(monday)

    text = shown("show", "T1")
    assert text.startswith("T1\n")
    assert "group key" in text and "it is broken" in text
    found = asked("show", "T1")
    assert found["asset"]["code"] == "T1"
    assert [(x["operation"], x["consecutive_failures"]) for x in found["operations"]] == [
        ("look_shop", 1)
    ]
    assert [(x["status"], x["run_id"]) for x in found["jobs"]] == [("failed", "monday-1")]


def test_a_pair_left_out_shows_how_to_request_it_again(run, core, shop: Plan):
    shop.sql(
        "update headgate.asset_processing_state set consecutive_failures = 5, next_due_at = null"
    )

    result = run("show", "T1", settings=core)

    assert "left out" in result.out
    assert "headgate.reset_asset(" in result.err


def test_an_asset_that_nothing_was_done_with_says_so(run, core, shop: Plan):
    assert "nothing was done with it yet" in run("show", "T0", settings=core).err


def test_an_unknown_asset_is_refused_with_similar_names(refused: Ask, shop: Plan):
    said = refused("show", "T11")

    assert said.startswith("error: unknown asset: 'T11' [HG009]\nhint: did you mean T1?")


def test_a_code_of_several_universes_is_refused_until_one_is_named(
    refused: Ask, asked: Ask, shop: Plan
):
    write_plan(shop, provider="market", assets=1)

    assert "[HG010]\nhint: say which: market, shop" in refused("show", "T0")
    assert asked("show", "T0", "--universe", "market")["asset"]["universe"] == "market"
