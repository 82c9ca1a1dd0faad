"""A small world with names that attack whoever shows them: two runs with failures and deferrals, checks and alerts."""

from __future__ import annotations

from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from tests.db.toy import Toy
from tests.runner.small_plan import write_plan

MARKUP: Final = "<script>alert(1)</script>"
QUOTE: Final = '"><img src=x onerror=alert(2)>'
ADDRESS: Final = "a/b?c=d#e&f%2F'; drop table x --"
NAMES: Final = (MARKUP, QUOTE, ADDRESS, "AAPL.US", "AAPL.F")
PIPELINE, OPERATION, PROVIDER = "small_shop", "look_shop", "shop"
CHECK: Final = """
    insert into headgate.checks (name, pipeline, kind, query, fail_calc, error_if, function)
    values ('prices_there', %(pipeline)s, 'query', 'select 1', 'count(*)', '> 0', 'public.prices_there');
"""
RESULTS: Final = """
    insert into headgate.check_results (name, subject, execution_id, checked_at, status, value, message, failing,
        failing_since)
    select 'prices_there', %(group)s, e.execution_id, e.started_at + n * interval '1 second', 'failed', n / 3.0,
        %(says)s,
        jsonb_build_array(jsonb_build_object('row', %(says)s::text)), e.started_at
    from headgate.process_executions as e
    cross join generate_series(1, 60) as n
    where e.run_id = 'r1'
"""
ALERTS: Final = """
    insert into headgate.alerts (severity, subject, message, raised_at, resolved_at)
    select 'error', %(says)s || n, 'look at ' || %(says)s, headgate.clock() - n * interval '1 hour',
        case when n > 2 then headgate.clock() end
    from generate_series(1, 70) as n
"""


def toy(connection: Connection[DictRow]) -> Toy:
    """Connect to the world; the clock is the pages', which runs on."""
    toy = Toy(connection)
    toy.sql("reset headgate.clock_frozen")
    return toy


def fill(toy: Toy) -> None:
    """Write the world into a database of the core."""
    write_plan(
        toy,
        base_url="http://127.0.0.1:9",
        assets=0,
        provider_columns={"quota": 4, "quota_buffer": 0},
        operation_columns={"units": 1, "due_rule": "every", "due_every": "1 hour"},
    )
    toy.call(
        "upsert_assets",
        p_universe=PROVIDER,
        p_assets=Jsonb([{"code": x, "group_key": MARKUP} for x in NAMES]),
    )
    toy.begin("all", run="r1", pipeline=PIPELINE)
    for chunk in toy.claim(chunks=5):
        toy.complete(chunk, "failed", chunk["asset_ids"][:1])
        toy.complete(chunk, "success", chunk["asset_ids"][1:])
    toy.finish("r1", PIPELINE)
    toy.sql(CHECK, pipeline=PIPELINE)
    toy.sql(RESULTS, group=QUOTE, says=MARKUP)
    toy.sql(ALERTS, says=MARKUP)
