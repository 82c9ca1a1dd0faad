"""The list commands: tables for people, JSON arrays for programs."""

from __future__ import annotations

import pytest

from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask

BLOCKED = {"operation": "look_shop", "blocked_until": "2099-01-01T00:00:00Z", "reason": "broken"}
LISTS = (
    *(["pipelines"], ["operations"], ["assets"], ["assets", "--due"], ["quota"]),
    *(["pools"], ["checks"], ["runners"]),
)


def head_of(table: str) -> list[str]:
    """Return a table's column names."""
    return table.splitlines()[0].split()


def test_pipelines_are_listed_with_their_newest_run(shown: Ask, asked: Ask, shop: Plan):
    assert head_of(shown("pipelines")) == ["pipeline", "is_paused", "description"]
    shop.call("run_pipeline", p_pipeline="small_shop", p_run_id="monday-1")

    table = shown("pipelines")
    assert "latest_run_id" in head_of(table)
    assert "small_shop no" in " ".join(table.split())
    (row,) = asked("pipelines")
    assert (row["steps"], row["latest_run_id"], row["latest_status"]) == (
        ["all"],
        "monday-1",
        "running",
    )


def test_operations_are_listed_with_their_breaker_where_they_make_calls(
    shown: Ask, asked: Ask, shop: Plan
):
    assert "look_shop local" not in shown("operations")
    (row,) = asked("operations", "--pipeline", "small_shop")

    assert (row["operation"], row["due"], row["pipelines"]) == ("look_shop", "once", ["small_shop"])
    assert "blocked_until" not in head_of(shown("operations"))


def test_operations_of_an_unknown_pipeline_are_refused(refused: Ask, shop: Plan):
    assert "[HG001]\nhint: did you mean small_shop?" in refused(
        "operations", "--pipeline", "small_shp"
    )


def test_assets_are_listed_by_code_the_first_of_them(shown: Ask, asked: Ask, shop: Plan):
    assert [x.split()[0] for x in shown("assets").splitlines()] == ["code", "T0", "T1", "T2"]
    assert [x["code"] for x in asked("assets")] == ["T0", "T1", "T2"]
    assert [x["code"] for x in asked("assets", "--limit", "2")] == ["T0", "T1"]


def test_a_list_that_is_cut_says_how_to_see_the_rest(run, core, shop: Plan):
    cut = run("assets", "--limit", "2", settings=core)
    whole = run("assets", "--limit", "3", settings=core)

    assert "the first 2; --limit N shows more" in cut.err
    assert (len(cut.out.splitlines()), whole.err) == (3, "")


def test_assets_that_are_due_say_since_when_and_why(shown: Ask, asked: Ask, shop: Plan):
    assert "new" in shown("assets", "--due", "--group", "G")
    assert {(x["asset"], x["operation"]) for x in asked("assets", "--due")} == {
        (f"T{n}", "look_shop") for n in range(3)
    }
    shop.sql("update headgate.asset_processing_state set next_due_at = null")
    assert asked("assets", "--due") == []


def test_an_unknown_group_is_refused_with_similar_names(refused: Ask, shop: Plan):
    said = refused("assets", "--group", "g")

    assert said == ("error: unknown group: 'g' [HG006]\nhint: did you mean G? known groups: G\n")


def test_quota_lists_the_open_windows(shown: Ask, asked: Ask, run, core, monday: Plan):
    monday.call("set_provider", p_provider="shop", p_changes={"quota": 100})
    monday.sql(
        "insert into headgate.quota_windows (provider_id, opened_at, closes_at, usable, spent)"
        " select p.provider_id, w.at, w.at + interval '1 day', 100, 7 from headgate.providers as p"
        " cross join (values (date_trunc('day', headgate.clock())),"
        " (date_trunc('day', headgate.clock()) - interval '1 day')) as w (at)"
        " where p.name = 'shop' on conflict do nothing"
    )

    (row,) = [x for x in asked("quota") if x["provider"] == "shop"]
    assert (row["usable"], row["spent"], row["remaining"]) == (100, 7, 93)
    assert len([x for x in asked("quota", "--all") if x["provider"] == "shop"]) == 2
    assert head_of(shown("quota"))[:4] == ["provider", "usable", "reserved", "spent"]
    assert "used_elsewhere" not in shown("quota")


def test_pools_are_listed_with_their_slots(shown: Ask, asked: Ask, shop: Plan):
    shop.sql("insert into headgate.pools (name, slots) values ('tills', 2)")

    assert head_of(shown("pools")) == ["pool", "slots", "used", "waiting"]
    assert asked("pools") == [{"pool": "tills", "slots": 2, "used": 0, "waiting": 0}]


def test_checks_are_listed_with_how_they_ended(shown: Ask, asked: Ask, shop: Plan):
    shop.sql(
        "insert into headgate.checks (name, kind, query, fail_calc, warn_if, function)"
        " values ('stock', 'query', 'select 1', 'count(*)', '> 0', 'shop.check_stock')"
    )
    assert head_of(shown("checks")) == ["name", "severity"]
    shop.call("run_checks")

    assert "stock error errored" in " ".join(shown("checks").split())
    (row,) = asked("checks")
    assert row["message"].startswith("stock: shop.check_stock is not called")


def test_runners_are_listed_with_what_they_hold(shown: Ask, asked: Ask, shop: Plan):
    shop.row("heartbeat", p_runner="w1", p_host="here", p_pid=12345, p_version="0.1.0")

    assert "w1 here 12345 0.1.0 " in " ".join(shown("runners").split())
    assert "calls" not in shown("runners")
    figures = {"calls": 7, "memory": 50 * 2**20, "cpu_percent": 3.5}
    shop.row(
        "heartbeat", p_runner="w1", p_host="here", p_pid=1, p_version="0.1.0", p_figures=figures
    )
    assert " 7 50 3.5" in " ".join(shown("runners").split())
    assert [(x["runner"], x["host"], x["leases"]) for x in asked("runners")] == [("w1", "here", 0)]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_an_empty_list_is_an_empty_array_and_says_what_to_do(run, core, core_plan, arguments):
    told = run(*arguments, settings=core)
    found = run(*arguments, "--json", settings=core)

    assert (told.code, told.out) == (0, "")
    assert told.err.strip()
    assert (found.code, found.out.strip(), found.err) == (0, "[]", "")


@pytest.mark.parametrize(
    "arguments",
    [["assets", "--limit", "0"], ["assets", "--limit", "99999999999999999999"], ["quota", "extra"]],
)
def test_wrong_usage_is_not_an_error_of_the_database(refused: Ask, core_plan, arguments):
    assert "Usage: headgate" in refused(*arguments, code=2)
