"""Invariants of the whole system: the two ledgers agree, no job is lost, the bars are exact."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from psycopg import sql

from headgate.demo.eodhd.bars import Synthetic
from tests.acceptance.system import System
from tests.plan import Row

QUEUES = """
select format('select count(*) as waiting from pgmq.%I', 'q_' || queue_name) as query
from pgmq.list_queues()
"""
TWICE = """
select d.execution_id, d.operation_id, d.asset_id, d.round, count(*)
from headgate.asset_processing_details as d
group by 1, 2, 3, 4
having count(*) > 1
"""
MISCOUNTED = """
select s.execution_id, s.step, s.planned, s.succeeded, s.failed, s.deferred, s.skipped, d.jobs
from headgate.process_steps as s
cross join lateral (
    select
        count(distinct (d.operation_id, d.asset_id)) as jobs
    from headgate.asset_processing_details as d
    where d.execution_id = s.execution_id and d.step = s.step
) as d
where s.planned <> s.succeeded + s.failed + s.deferred + s.skipped
    or s.planned <> d.jobs
"""
WINDOWS = """
select w.opened_at, w.usable, w.reserved, w.spent
from headgate.quota_windows as w
join headgate.providers as p using (provider_id)
where p.name = 'eodhd'
order by w.opened_at
"""
LOADED = """
create temp table expected (code text, date date, open float8, high float8, low float8,
    close float8, adjusted_close float8, volume bigint) on commit drop
"""
DIFFERENT = """
with stored as (
    select a.code, p.date, p.open, p.high, p.low, p.close, p.adjusted_close, p.volume
    from equities.prices as p
    join headgate.assets as a using (asset_id)
    where a.code is distinct from %(but_for)s
)
select 'missing' as what, m.* from (select * from expected except all select * from stored) as m
union all
select 'wrong' as what, w.* from (select * from stored except all select * from expected) as w
limit 10
"""


def check_settled(system: System) -> None:
    """Check that every planned job has ended exactly once, and nothing is leased, queued or reserved."""
    plan = system.plan
    assert plan.sql(TWICE) == []
    assert plan.sql(MISCOUNTED) == []
    assert plan.scalar("select count(*) from headgate.chunks") == 0
    assert (
        plan.scalar(
            "select count(*) from headgate.asset_processing_state where chunk_id is not null"
        )
        == 0
    )
    for row in plan.sql(QUEUES):
        waiting = plan.connection.execute(sql.SQL(row["query"])).fetchone()
        assert waiting == {"waiting": 0}, row["query"]
    assert sum(window["reserved"] for window in windows(system)) == 0


def check_ledger(system: System) -> tuple[int, int]:
    """Check served <= charged <= usable for each day, and that jobs and windows agree; return both sums."""
    served = system.standin.ledger()["by_day"]
    charged = 0
    for window in windows(system):
        day = window["opened_at"].astimezone(UTC).date().isoformat()
        assert served.pop(day, 0) <= window["spent"] <= window["usable"], (day, window)
        charged += window["spent"]
    assert served == {}, "days of which our book knows nothing"
    units = system.plan.scalar(
        "select coalesce(sum(units), 0)::integer from headgate.asset_processing_details"
    )
    assert units == charged
    return system.standin.ledger()["served_units"], charged


def windows(system: System) -> list[Row]:
    """Return the provider's quota windows."""
    return system.plan.sql(WINDOWS)


def check_bars(system: System, codes: Iterable[str], but_for: str | None = None) -> None:
    """Check that the bars of these codes are exactly the stand-in's."""
    source = Synthetic()
    now = system.at.timestamp()
    with system.plan.connection.transaction(), system.plan.connection.cursor() as cursor:
        cursor.execute(LOADED)
        with cursor.copy("copy expected from stdin (format csv)") as copy:
            for code in codes:
                for bar in source.rows(code, system.first_day, None, now):
                    copy.write(_as_csv(code, bar))
        different = cursor.execute(DIFFERENT, {"but_for": but_for}).fetchall()
    assert different == []


def _as_csv(code: str, bar: str) -> str:
    cells = [pair.partition(":")[2].strip('"') for pair in bar.strip("{}").split(",")]
    return ",".join([code, *cells]) + "\n"


def jobs(system: System, run_id: str) -> dict[str, int]:
    """Return the number of a run's jobs per status."""
    rows = system.plan.sql(
        "select d.status, count(*) from headgate.asset_processing_details as d "
        "join headgate.process_executions as e using (execution_id) "
        "where e.run_id = %(run_id)s group by d.status",
        run_id=run_id,
    )
    return {row["status"]: row["count"] for row in rows}
