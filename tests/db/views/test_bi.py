"""headgate_bi: scalar columns, a time first, the figures of the core's views, and trends that are kept daily."""

from __future__ import annotations

import re
from datetime import date
from typing import LiteralString

import pytest
from psycopg import sql

from tests.db.toy import Toy
from tests.plan import Plan

COLUMNS: LiteralString = """
    select format('%I.%I', n.nspname, c.relname) as view, a.attname::text as name, a.attnum as nth,
        format_type(a.atttypid, null) as type
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
    where n.nspname like '%\\_bi' and c.relkind <> 'i'
    order by 1, a.attnum
"""
TIMES = {"date", "timestamp with time zone"}
SCALARS = {"text", "smallint", "integer", "bigint", "double precision", "boolean"} | TIMES
MAINTENANCE = {"p_pipeline": "headgate_maintenance", "p_run_id": "m"}
HOURS = "select * from headgate_bi.jobs_by_hour order by hour, pipeline, status"


@pytest.fixture
def evening(toy: Toy) -> Toy:
    """A run of eight things of which two fail and three cannot be afforded."""
    toy.provider(quota=5)
    things = toy.add(8)
    toy.begin()
    (chunk,) = toy.claim()
    taken = [x for x in chunk["asset_ids"] if x in things]
    toy.complete(chunk, "failed", assets=taken[:2])
    toy.complete(chunk, assets=taken[2:])
    toy.finish()
    return toy


def test_every_view_has_scalar_columns_and_a_time_first(db: Plan):
    rows = db.sql(COLUMNS)

    assert {x["view"] for x in rows if x["nth"] == 1 and x["type"] not in TIMES} == set()
    assert [(x["view"], x["name"]) for x in rows if x["type"] not in SCALARS] == []
    assert len({x["view"] for x in rows}) == 17


def test_the_reader_reads_every_view_and_no_more_than_views(db: Plan):
    views = {x["view"] for x in db.sql(COLUMNS)}
    db.sql("set local role headgate_reader")
    for view in views:
        db.connection.execute(
            sql.SQL("select * from {} limit 1").format(sql.Identifier(*view.split(".")))
        )
    with pytest.raises(Exception, match="permission denied"):
        db.sql("select * from headgate.job_hours")


def test_analysts_views_say_what_the_views_of_the_core_say(evening: Toy):
    (run,) = evening.sql("select * from headgate_bi.runs")
    (core,) = evening.sql("select * from headgate.v_recent_executions")
    (window,) = evening.sql("select * from headgate.v_quota")
    (quota,) = evening.sql("select * from headgate_bi.quota_by_day")
    steps = evening.sql("select * from headgate_bi.steps where step = 'a'")
    jobs = evening.sql("select * from headgate_bi.jobs where status = 'failed'")

    assert {x: run[x] for x in ("run_id", "planned", "succeeded", "failed", "units")} == {
        "run_id": "r1",
        "planned": 5,
        "succeeded": 3,
        "failed": 2,
        "units": core["units"],
    }
    assert [(x["succeeded"], x["failed"], x["error"]) for x in steps] == [(3, 2, None)]
    assert {(x["pipeline"], x["provider"], x["universe"], x["group_key"]) for x in jobs} == {
        ("plain", "shop", "things", "A")
    }
    assert [x["duration_seconds"] for x in jobs] == [0.007, 0.007]
    assert (quota["day"], quota["units"], quota["calls"]) == (date(2024, 3, 5), window["spent"], 5)
    assert quota["usable"] == window["usable"] == 5
    assert evening.sql("select day, runs, failed, units from headgate_bi.runs_by_day") == [
        {"day": date(2024, 3, 5), "runs": 1, "failed": 2, "units": 5}
    ]


def test_analysts_views_say_what_failed_and_what_was_put_off(evening: Toy):
    (failures,) = evening.sql("select * from headgate_bi.failures_by_reason")
    (deferral,) = evening.sql("select * from headgate_bi.deferrals")
    (waiting,) = evening.sql("select * from headgate_bi.waiting")
    core = evening.sql("select * from headgate.v_deferrals")

    assert (failures["reason"], failures["jobs"], failures["assets"]) == ("it went wrong", 2, 2)
    assert (deferral["reason"], deferral["assets"], deferral["units"]) == ("quota", 3, 3)
    assert [deferral["deferred_at"], deferral["meaning"]] == [
        core[0]["deferred_at"],
        core[0]["meaning"],
    ]
    assert (waiting["reason"], waiting["jobs"]) == (deferral["meaning"], 3)


def test_an_alert_is_open_until_it_is_resolved(toy: Toy):
    toy.call("raise_alert", p_severity="error", p_subject="the roof", p_message="it leaks")
    toy.later(minutes=2)
    (leak,) = toy.sql("select * from headgate_bi.alerts")
    toy.call("resolve_alert", p_subject="the roof")
    toy.later(minutes=2)
    (resolved,) = toy.sql("select * from headgate_bi.alerts")

    assert (leak["is_open"], leak["open_seconds"]) == (True, 120)
    assert (resolved["is_open"], resolved["open_seconds"]) == (False, 120)


def test_hours_stay_as_they_were_when_they_are_kept(evening: Toy):
    before = evening.sql(HOURS)
    evening.later(hours=1, minutes=59)
    evening.call("maintain_history", **MAINTENANCE)
    too_early = evening.scalar("select count(*) from headgate.job_hours")
    evening.later(minutes=1)
    for _ in range(2):
        evening.call("maintain_history", **MAINTENANCE)
    kept = evening.scalar("select count(*) from headgate.job_hours")
    evening.sql("update headgate.job_hours set units = units + 100")  # only they are read
    after = evening.sql(HOURS)

    assert [(x["status"], x["jobs"], x["units"], x["p95_seconds"]) for x in before] == [
        ("failed", 2, 2, 0.007),
        ("success", 3, 3, 0.007),
    ]
    assert (too_early, kept) == (0, 2)
    assert after == [{**x, "units": x["units"] + 100} for x in before]


def test_a_runner_adds_what_has_ended_since_until_so_many_jobs_are_counted(evening: Toy):
    for nth in (2, 3):
        evening.later(days=1)
        evening.begin(run=f"r{nth}")
        evening.drain()
        evening.finish(f"r{nth}")
    evening.later(days=1)
    before = evening.sql(HOURS)

    def kept() -> int:
        return int(evening.scalar("select sum(jobs) from headgate.job_hours"))

    evening.sql("select headgate._keep_hours(6)")
    assert kept() == 10, "the hour that was begun is kept whole"
    evening.call("keep_history")
    assert kept() == sum(x["jobs"] for x in before) == 15
    assert evening.sql(HOURS) == before


def test_as_many_jobs_took_no_longer_as_an_hour_says(evening: Toy):
    evening.sql(
        "update headgate.asset_processing_details as d set duration_ms = n.nth * 100 from ("
        "select asset_id, row_number() over (order by asset_id) as nth from headgate.asset_processing_details"
        ") as n where n.asset_id = d.asset_id"
    )
    hours = {x["status"]: (x["p50_seconds"], x["p95_seconds"]) for x in evening.sql(HOURS)}

    assert hours == {"failed": (0.1, 0.2), "success": (0.4, 0.5)}


def test_freshness_and_backlog_of_a_day_are_kept_as_they_were(evening: Toy):
    core = evening.sql("select * from headgate.v_data_freshness")
    now = evening.sql("select * from headgate_bi.freshness")
    today = evening.sql("select * from headgate_bi.freshness_by_day")
    backlog = evening.sql("select * from headgate_bi.backlog_by_day where due > 0")
    due = evening.sql("select * from headgate.v_assets_needing_processing")
    for _ in range(2):
        evening.call("maintain_history", **MAINTENANCE)
    evening.add(4, first=8)
    noted = evening.sql("select * from headgate_bi.freshness_by_day")
    evening.later(days=1)
    evening.call("maintain_history", **MAINTENANCE)
    trend = evening.sql(
        "select day, assets, fresh, never from headgate_bi.freshness_by_day order by day"
    )

    (row,) = [x for x in now if x["operation"] == "look"]
    (told,) = [x for x in core if x["operation"] == "look"]
    assert {x: row[x] for x in told} == told
    assert (row["assets"], row["fresh"], row["fresh_share"], row["oldest_watermark"]) == (
        8,
        3,
        0.375,
        None,
    )
    assert today == noted
    assert [(x["due"], x["units"]) for x in backlog] == [(len(due), len(due))]
    assert [(str(x["day"]), x["assets"], x["fresh"], x["never"]) for x in trend] == [
        ("2024-03-05", 8, 3, 5),
        ("2024-03-06", 12, 0, 9),
    ]


def test_what_is_kept_goes_with_the_history(evening: Toy):
    evening.later(days=1)
    evening.call("maintain_history", **MAINTENANCE)
    evening.later(days=440)
    evening.call("maintain_history", **MAINTENANCE)

    days = evening.sql("select distinct day from headgate.state_days")
    assert [str(x["day"]) for x in days] == [str(evening.now.date())]
    assert evening.sql(HOURS) == []


def test_the_doctor_names_days_that_were_not_noted(evening: Toy):
    found = "select found from headgate.examine() where subject = 'history by day'"
    evening.later(days=1)
    assert evening.sql(found) == [], "the day of the first run is no fault"
    evening.call("maintain_history", **MAINTENANCE)
    evening.later(days=3)

    assert evening.scalar(found).endswith("not noted on 2024-03-07, 2024-03-08")


@pytest.mark.parametrize(
    "query",
    [
        "select pipeline, count(*) from headgate_bi.jobs where ended_at >= '2024-03-01' and ended_at < '2024-04-01' group by 1",
        "select * from headgate_bi.jobs_by_hour",
    ],
)
def test_a_range_of_time_reads_its_months_only(evening: Toy, query: LiteralString):
    evening.later(days=-40)
    evening.call("check_plans")  # opens the months around it
    evening.later(days=39)
    evening.sql("update headgate.kept_hours set until = '2024-03-01 00:00+00'")
    plan = evening.sql(f"explain (analyze, costs off, timing off, summary off) {query}")
    read = {
        x
        for row in plan
        if "never executed" not in row["QUERY PLAN"]
        for x in re.findall(r"asset_processing_details_(\w+) ", row["QUERY PLAN"])
    }

    assert "202403" in read
    assert not read & {"202401", "202402"}


def test_a_column_that_is_not_read_costs_no_join(toy: Toy):
    plan = toy.sql(
        "explain select date_trunc('day', ended_at), count(*) from headgate_bi.jobs group by 1"
    )

    assert not any("Join" in x["QUERY PLAN"] for x in plan)
