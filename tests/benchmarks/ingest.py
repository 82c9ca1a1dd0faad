"""Benchmark 3, ingest: bars per second through complete_jobs against COPY of the same rows.

Our side takes EODHD's answers as received, checks every bar, compares it with the stored one, writes it, and
ends the jobs. The baseline is binary COPY into the same empty partitioned table, from a buffer packed beforehand,
so that nothing on the client's side slows it down. Two further sides are what any ingest of JSON must do: the same answers
are only read, in the same chunks, and rows that have been read are only inserted, without a check or a comparison.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from psycopg.rows import tuple_row

from headgate.database import connect
from headgate.settings import Settings
from headgate.worker import arrays
from tests.benchmarks import system
from tests.benchmarks.jobs import write_calls
from tests.benchmarks.measure import Figure, per_second, ratio, take_turns
from tests.plan import Plan

NAME: Final = "ingested"
LEAST: Final = 0.25
WISHED: Final = 0.35
"""To read the JSON and to insert the rows takes, without any check, twice as long as COPY of packed rows, or longer."""
LEAST_OF_BOTH: Final = 0.65
CLAIM: Final = "select chunk_id, lease_no, asset_ids from headgate.claim_jobs('bench')"
COMPLETE: Final = (
    "select chunk_id, lease_no, asset_ids from headgate.complete_jobs(p_runner => 'bench',"
    " p_chunk_id => %s::bigint, p_lease_no => %s::integer, p_asset_ids => %s, p_outcomes => %s,"
    " p_faults => %s, p_payloads => %s, p_errors => %s, p_request_counts => %s, p_durations_ms => %s,"
    " p_claim => 1)"
)
COPY: Final = (
    "copy equities.prices (asset_id, date, open, high, low, close, adjusted_close, volume)"
    " from stdin (format binary)"
)
COPY_START: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END: Final = struct.pack(">h", -1)
COPY_ROW: Final = struct.Struct(">h iq ii id id id id id iq")
EPOCH: Final = date(2000, 1, 1)
COLUMNS: Final = "date, open, high, low, close, adjusted_close, volume"
READ: Final = """
    select count(r.date), sum(r.volume)
    from unnest(%s) as u (payload)
    cross join lateral json_to_recordset(u.payload::json) as r (
        date date, open double precision, high double precision, low double precision, close double precision,
        adjusted_close double precision, volume double precision
    )
"""
INSERT: Final = f"""
    insert into equities.prices (asset_id, {COLUMNS})
    select r.asset_id, {COLUMNS} from public.read_bars as r order by r.asset_id, r.date
"""


@dataclass(slots=True)
class Sides:
    """Bars per second, turn by turn."""

    ours: list[float] = field(default_factory=list)
    copy: list[float] = field(default_factory=list)
    reading: list[float] = field(default_factory=list)
    inserting: list[float] = field(default_factory=list)


def run(
    server: Settings, *, chunks: int = 6, listings: int = 100, bars: int = 500, runs: int = 5
) -> Iterator[Figure]:
    """Measure chunks of `listings` listings with `bars` bars each."""
    with (
        system.own_database(server, "ingest") as settings,
        connect(settings, "bench") as connection,
    ):
        plan = Plan(connection)
        arrays.register(connection)
        write_calls(plan, NAME, "http://127.0.0.1:9", ingest_function="equities.ingest_prices")
        system.add_assets(plan, NAME, chunks * listings, calendar="XNYS")
        sides = _measure(plan, _answers(plan, bars), listings, runs)
        yield Figure(
            f"ingest: {chunks} chunks of {listings} listings, {bars} bars each",
            ratio(sides.ours, sides.copy),
            at_least=LEAST,
            wished=WISHED,
            detail=f"bars: {per_second('ours', sides.ours)},"
            f" {per_second('binary COPY', sides.copy)}",
        )
        least = [1 / (1 / x + 1 / y) for x, y in zip(sides.reading, sides.inserting, strict=True)]
        yield Figure(
            "ingest: against reading the JSON and inserting the rows, without any check",
            ratio(sides.ours, least),
            at_least=LEAST_OF_BOTH,
            detail=f"bars: {per_second('reading', sides.reading)},"
            f" {per_second('inserting', sides.inserting)}",
        )


def _measure(
    plan: Plan, answers: dict[int, list[dict[str, Any]]], listings: int, runs: int
) -> Sides:
    sides = Sides()
    payloads = {asset_id: json.dumps(answer) for asset_id, answer in answers.items()}
    packed = _packed(answers)
    count = sum(map(len, answers.values()))

    def ours() -> None:
        system.make_due(plan, NAME, listings)
        run_id = system.start(plan, NAME)
        plan.call("enqueue_step", p_pipeline=NAME, p_run_id=run_id, p_step="work")
        sides.ours.append(count / _written(plan, count, lambda: _complete_all(plan, payloads)))
        system.finish(plan, NAME, run_id, len(answers))

    def copy() -> None:
        sides.copy.append(count / _written(plan, count, lambda: _copy(plan, packed)))

    def read() -> None:
        started = time.perf_counter()
        _read_all(plan, list(payloads.values()), listings)
        sides.reading.append(count / (time.perf_counter() - started))

    def insert() -> None:
        sides.inserting.append(count / _written(plan, count, lambda: plan.sql(INSERT)))

    copy()
    plan.sql(f"create table public.read_bars as select asset_id, {COLUMNS} from equities.prices")
    sides.copy.clear()
    take_turns(runs, ours, copy, read, insert)
    return sides


def _written(plan: Plan, count: int, write: Callable[[], object]) -> float:
    """Empty the table and write; check that all bars are there, and return the seconds of writing."""
    plan.sql("truncate equities.prices, equities.prices_quarantine")
    plan.sql("checkpoint")
    started = time.perf_counter()
    write()
    seconds = time.perf_counter() - started
    assert plan.scalar("select count(*) from equities.prices") == count
    return seconds


def _complete_all(plan: Plan, payloads: dict[int, str]) -> None:
    """Claim and complete all chunks, with arrays like a runner's."""
    with plan.connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute(CLAIM)
        while (row := cursor.fetchone()) is not None and row[0] is not None:
            chunk_id, lease_no, asset_ids = row
            size = len(asset_ids)
            arguments = (
                chunk_id,
                lease_no,
                arrays.bigints(asset_ids),
                arrays.same_texts("success", size),
                arrays.same_texts("item", size),
                arrays.texts([payloads[x] for x in asset_ids]),
                arrays.same_texts(None, size),
                arrays.integers([1] * size),
                arrays.integers([20] * size),
            )
            cursor.execute(COMPLETE, arguments, prepare=True)


def _read_all(plan: Plan, payloads: list[str], size: int) -> None:
    """Have the server read all answers and do nothing with them."""
    with plan.connection.cursor() as cursor:
        for start in range(0, len(payloads), size):
            cursor.execute(READ, (arrays.texts(payloads[start : start + size]),), prepare=True)


def _copy(plan: Plan, packed: bytes) -> None:
    with plan.connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write(packed)


def _answers(plan: Plan, bars: int) -> dict[int, list[dict[str, Any]]]:
    """Return valid bars of the last sessions, different for each asset."""
    sessions = plan.sql(
        "select t.session from headgate.trading_sessions as t"
        " where t.calendar = 'XNYS' and t.closes_at < headgate.clock() order by t.session desc limit %(bars)s",
        bars=bars,
    )
    days = sorted(x["session"] for x in sessions)
    assets = plan.sql(
        "select a.asset_id from headgate.assets as a where a.universe = %(name)s", name=NAME
    )
    return {
        x["asset_id"]: [_bar(x["asset_id"], nth, day) for nth, day in enumerate(days)]
        for x in assets
    }


def _bar(asset_id: int, nth: int, day: date) -> dict[str, Any]:
    price = 20 + asset_id % 97 + nth % 31 * 0.13
    return {
        "date": day.isoformat(),
        "open": round(price, 4),
        "high": round(price * 1.02, 4),
        "low": round(price * 0.98, 4),
        "close": round(price * 1.01, 4),
        "adjusted_close": round(price * 0.97, 4),
        "volume": 100_000 + 37 * nth,
    }


def _packed(answers: dict[int, list[dict[str, Any]]]) -> bytes:
    """Return the rows in the format of binary COPY."""
    rows = [COPY_START]
    for asset_id, answer in answers.items():
        for x in answer:
            day = (date.fromisoformat(x["date"]) - EPOCH).days
            figures = (x["open"], x["high"], x["low"], x["close"], x["adjusted_close"])
            sized = (y for figure in figures for y in (8, figure))
            rows.append(COPY_ROW.pack(8, 8, asset_id, 4, day, *sized, 8, x["volume"]))
    return b"".join([*rows, COPY_END])
