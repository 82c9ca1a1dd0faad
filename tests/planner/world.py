"""Books with sessions and a bulk call per region, for the tests of the planner."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from tests.adopt import adopt
from tests.db.toy import Toy

CALL_UNITS = 5
KEEP_LISTED = """
create function toy.keep_listed(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language sql
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select u.asset_id, 'success', 1, (p_context ->> 'session')::timestamp at time zone 'UTC', null
    from unnest(p_asset_ids) as u (asset_id)
    where not (p_payloads[1]::jsonb -> 'lacks') @> to_jsonb(u.asset_id);
$func$
"""
BULK = """
insert into headgate.operations (
    name, universe, provider_id, units, priority, due_rule, path, query, ingest_function, bulk_call_of_operation_id
)
select 'update_all', o.universe, o.provider_id, %(units)s, o.priority, o.due_rule, '/all/{asset.group_key}',
    '{"date": "{chunk.session}"}', 'toy.keep_listed', o.operation_id
from headgate.operations as o
where o.name = 'update'
"""
PAGE = """
insert into headgate.operations (
    name, universe, provider_id, units, units_per_asset, batch_size, feature, priority, due_rule, path, query,
    ingest_function, bulk_call_of_operation_id
)
select 'open_page', o.universe, o.provider_id, %(units)s, %(each)s, %(size)s, 'pages', o.priority, o.due_rule,
    '/page/{asset.group_key}', '{"of": "{chunk.codes}"}', 'toy.keep_listed', o.operation_id
from headgate.operations as o
where o.name = 'open'
"""
SHARE = """
insert into headgate.quota_shares (provider_id, pipeline_id, floor_share, ceiling_share, backfill_operations, reserve)
select r.provider_id, p.pipeline_id, %(floor)s, %(ceiling)s, %(backfill)s, %(reserve)s
from headgate.providers as r, headgate.pipelines as p
where r.name = 'shop' and p.name = %(pipeline)s
"""
SESSIONS = """
insert into headgate.trading_sessions (calendar, session, opens_at, closes_at)
select %(calendar)s, d.day::date, (d.day + time '14:30') at time zone 'UTC',
    (d.day + time '21:00') at time zone 'UTC'
from generate_series('2024-02-26'::timestamp, '2024-05-31', '1 day') as d (day)
where extract(isodow from d.day) < 6
    and d.day <> all (%(holidays)s::timestamp[])
"""
LOADED = """
update headgate.asset_processing_state as s
set succeeded_at = case when o.name <> 'update' then %(at)s::timestamptz end,
    watermark = %(watermark)s::timestamptz,
    next_due_at = case when o.name = 'update' then headgate._session_due_at(o.provider_id, a.calendar, %(watermark)s, %(at)s) end
from headgate.operations as o, headgate.assets as a
where o.operation_id = s.operation_id
    and a.asset_id = s.asset_id
    and o.name in ('open', 'history', 'update')
    and s.asset_id = any (%(assets)s)
"""


def arrange(toy: Toy, *, call_units: int = CALL_UNITS, holidays: tuple[str, ...] = ()) -> None:
    """Add sessions on weekdays, and the bulk call of a region."""
    toy.sql(SESSIONS, calendar="X", holidays=list(holidays))
    toy.sql(KEEP_LISTED)
    toy.sql(BULK, units=call_units)
    toy.sql("select headgate._open_breakers()")
    adopt(toy.connection, "toy")


def paged(toy: Toy, *, units: int = 12, each: int = 1, size: int = 4) -> None:
    """Add batch calls of several openings, which the account includes."""
    toy.sql(PAGE, units=units, each=each, size=size)
    toy.sql("select headgate._open_breakers()")
    toy.provider(features=["pages"])


def share(
    toy: Toy,
    pipeline: str,
    floor: float = 0,
    ceiling: float = 1,
    backfill: tuple[str, ...] = (),
    reserve: int = 0,
) -> None:
    """Set a pipeline's share of the shop's windows."""
    toy.sql(
        SHARE,
        pipeline=pipeline,
        floor=floor,
        ceiling=ceiling,
        backfill=list(backfill),
        reserve=reserve,
    )


def loaded(toy: Toy, count: int, group: str, watermark: str, first: int = 0) -> list[int]:
    """Add books whose data reaches up to a session."""
    ids = toy.add(count, group, "books", first=first, calendar="X")
    toy.sql(LOADED, assets=ids, watermark=f"{watermark} 00:00+00", at=toy.now)
    return ids


def work_off(
    toy: Toy, run: str, lacks: tuple[int, ...] = (), params: dict[str, Any] | None = None
) -> dict[str, int]:
    """Run pipeline `library` to its end with all calls answered; return units by called operation."""
    toy.start(run, "library", p_params=params or {})
    toy.check(run, "library")
    called: dict[str, int] = {}
    for step in ("west", "east", "sum"):
        toy.enqueue(step, run, "library")
        while chunks := toy.claim("w1", 5):
            for chunk in chunks:
                if chunk["urls"]:
                    name = chunk["operation"]
                    called[name] = called.get(name, 0) + len(chunk["urls"])
                answer(toy, chunk, lacks)
    toy.finish(run, "library")
    return called


def answer(
    toy: Toy, chunk: dict[str, Any], lacks: tuple[int, ...] = (), runner: str = "w1"
) -> None:
    """Complete a chunk with good answers: a bulk call without some assets, else bars up to the last session."""
    assets = chunk["asset_ids"]
    if (chunk["call"] or {}).get("serves_all"):
        calls = len(chunk["urls"])
        texts = [json.dumps({"lacks": list(lacks)})] * calls
        requests = [calls] + [0] * (len(assets) - 1)
    else:
        texts = [json.dumps({"watermark": last_session(toy.now)})] * len(assets)
        requests = [1] * len(assets)
    toy.call(
        "complete_jobs",
        p_runner=runner,
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=assets,
        p_outcomes=["success"] * len(assets),
        p_payloads=texts,
        p_request_counts=requests,
    )


def last_session(now: datetime) -> str:
    """Return the last weekday whose bars are published."""
    day = now - timedelta(hours=21, minutes=15)
    while day.isoweekday() > 5:
        day -= timedelta(days=1)
    return day.date().isoformat()
