"""Declared ingest: a generated ingest function against one written by hand, on the same answers.

The hand-written one is that of docs/adding-a-pipeline.md for comments. Both new and existing rows are
measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.rows import DictRow

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, per_second, ratio

LEAST: Final = 1 / 1.2
WORLD: LiteralString = """
do $role$
begin
    if to_regrole('headgate_plan_declared') is null then
        create role headgate_plan_declared nologin;
    end if;
end;
$role$;
create schema declared authorization headgate_plan_declared;
grant usage on schema headgate to headgate_plan_declared;
set role headgate_plan_declared;
create table declared.comments (
    comment_id bigint primary key, asset_id bigint not null, email text not null, body text not null
);
create function declared.by_hand(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language sql volatile security definer set search_path = pg_catalog, pg_temp
as $func$
    with answers as (
        select a.asset_id, c.id, c.email, c.body
        from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
        cross join lateral jsonb_to_recordset(a.payload::jsonb) as c (id bigint, email text, body text)
    ),
    written as (
        insert into declared.comments as c (comment_id, asset_id, email, body)
        select a.id, a.asset_id, a.email, a.body
        from answers as a
        on conflict (comment_id) do update
        set email = excluded.email,
            body = excluded.body
        where (c.email, c.body) is distinct from (excluded.email, excluded.body)
        returning c.asset_id
    )
    select u.asset_id, 'success', count(w.asset_id)::integer, null::timestamptz, null::text
    from unnest(p_asset_ids) as u (asset_id)
    left join written as w using (asset_id)
    group by u.asset_id;
$func$;
reset role;
begin;
select headgate.begin_plan('declared');
select headgate.put_operation('declared', 'declared', due => 'once', "into" => 'declared.comments',
    rows => '$[*]', key => '{comment_id}',
    columns => '{"comment_id": "$.id", "email": "$.email", "body": "$.body"}');
select headgate.end_plan();
commit;
"""
CALLS: Final[dict[str, LiteralString]] = {
    "generated": "select count(*) from declared.ingest_declared('{}', %s::bigint[], %s::text[])",
    "by hand": "select count(*) from declared.by_hand('{}', %s::bigint[], %s::text[])",
}


def run(
    server: Settings, *, chunks: int = 20, assets: int = 100, comments: int = 5, runs: int = 9
) -> Iterator[Figure]:
    """Measure chunks of `assets` assets with `comments` comments each."""
    with (
        system.own_database(server, "declared") as settings,
        connect(settings, "bench") as connection,
    ):
        connection.execute(WORLD)
        chunked = _chunks(chunks, assets, comments)
        for state in ("new", "known"):
            rates: dict[str, list[float]] = {x: [] for x in CALLS}
            for _ in range(runs):
                for side in CALLS:
                    seconds = _turn(connection, side, chunked, is_known=state == "known")
                    rates[side].append(chunks * assets * comments / seconds)
            yield Figure(
                f"declared ingest: {chunks} chunks of {assets} assets, {state} rows",
                ratio(rates["generated"], rates["by hand"]),
                at_least=LEAST,
                detail=", ".join(per_second(x, y) for x, y in rates.items()),
            )


def _chunks(chunks: int, assets: int, comments: int) -> list[tuple[list[int], list[str]]]:
    def answer(asset: int) -> str:
        return json.dumps(
            [
                {
                    "postId": asset,
                    "id": comments * asset + n,
                    "name": "no column has it",
                    "email": f"{n}@blog.example",
                    "body": "lorem ipsum dolor sit amet " * 8,
                }
                for n in range(comments)
            ]
        )

    ids = [list(range(n * assets, (n + 1) * assets)) for n in range(chunks)]
    return [(x, [answer(y) for y in x]) for x in ids]


def _turn(
    connection: Connection[DictRow],
    side: str,
    chunks: list[tuple[list[int], list[str]]],
    *,
    is_known: bool,
) -> float:
    """Return the seconds of one side, on an empty table or on one that has the rows already."""
    connection.execute("truncate declared.comments")
    if is_known:
        _ingest(connection, side, chunks)
    began = time.perf_counter()
    _ingest(connection, side, chunks)
    return time.perf_counter() - began


def _ingest(
    connection: Connection[DictRow], side: str, chunks: list[tuple[list[int], list[str]]]
) -> None:
    with connection.transaction():
        for chunk in chunks:
            connection.execute(CALLS[side], chunk)
