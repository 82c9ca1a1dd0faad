"""Wrong answers and hostile arguments: each gets a clear error, and nobody else is harmed."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from headgate.database import connect
from headgate.demo.eodhd.bars import Synthetic
from headgate.demo.eodhd.fundamentals import fundamentals
from headgate.settings import Settings
from headgate.worker import arrays
from headgate.worker.payloads import BadPayload, check_json, read_text
from tests.attacks.form import SEED, dice, either, tell
from tests.attacks.mutants import CORPUS, DEEP, HOSTILE, spoilt
from tests.clock import NOW
from tests.db.toy import Toy
from tests.limits import PATIENCE
from tests.plan import Plan, Row

RUN = {"p_pipeline": "data_collection_equities", "p_run_id": "bad"}
JSON = "application/json"
CHARSETS = (
    "utf-8", "utf-8", "utf-8", "latin-1", "cp1252", "utf-16", "utf-32", "shift_jis", "gb18030", "utf-7", "hex", "undefined",
    "unicode_escape", "klingon",
)  # fmt: skip
"""Content types that a spoilt answer may claim."""
ANSWERS = either(100, 2_000)
CALLS = either(250, 2_500)
SWEPT = 200
ENDED = """
select a.code, d.status, d.error, d.reason, d.records
from headgate.asset_processing_details as d join headgate.assets as a using (asset_id)
"""
STORED = """
select count(*) as bars, count(*) filter (where p.high < p.low or least(p.open, p.high, p.low, p.close) <= 0
    or greatest(p.open, p.high, p.low, p.close, p.adjusted_close, p.volume) >= 'infinity') as insane
from equities.prices as p join headgate.assets as a using (asset_id)
where a.code = any (%(codes)s)
"""
FUNCTIONS = """
select n.nspname || '.' || p.proname as name, p.proargnames[: p.pronargs] as names, u.types, p.pronargdefaults as defaults
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
cross join lateral (
    select array_agg(t.type::regtype::text order by t.nth) as types
    from unnest(p.proargtypes::oid[]) with ordinality as t (type, nth)
) as u
where n.nspname in ('headgate', 'equities')
    and p.proname not like '\\_%%'
    and p.prokind = 'f'
    and p.pronargs > 0
order by 1
"""
GENTLE = ("22", "23", "42501", "54", "HG")
"""SQLSTATE classes with which an argument may be rejected: data, constraints, rights, limits, and our own."""


@pytest.fixture
def few(small_database: Settings) -> Iterator[Plan]:
    """Connect to a database with a few listings, and pack arrays as a runner does."""
    with connect(small_database, "test") as connection:
        arrays.register(connection)
        yield Plan(connection)


def healthy_answers(operation: str, codes: list[str]) -> list[bytes]:
    """Return the answers that the stand-in would give."""
    if operation == "fundamentals_bulk":
        return [json.dumps(fundamentals(x, NOW.date())).encode() for x in codes]
    source = Synthetic()
    rows = [
        source.rows(x, (NOW - timedelta(days=30)).date().isoformat(), None, NOW.timestamp())
        for x in codes
    ]
    return [f"[{','.join(x)}]".encode() for x in rows]


def chunk_of(db: Plan, operation: str) -> Row:
    """Plan eight new listings, and claim their chunk of an operation."""
    db.freeze_clock(NOW)
    codes = db.sql(
        "select code from headgate.assets where universe = 'equities' and group_key = 'US'"
        " order by code limit 8"
    )
    db.call("start_execution", **RUN, p_params={"tickers": [x["code"] for x in codes]})
    db.call("check_quota", **RUN)
    db.call("enqueue_step", **RUN, p_step="process_us_markets")
    claimed = [x for _ in range(9) for x in db.call("claim_jobs", p_runner="w1", p_max_chunks=5)]
    (chunk,) = (x for x in claimed if x["operation"] == operation)
    assert len(chunk["asset_ids"]) == len(codes), claimed
    return chunk


def hand_in(db: Plan, chunk: Row, bodies: list[bytes], kinds: list[str]) -> str | None:
    """Handle answers as a runner does; return the error about the spoilt one, if it is rejected."""
    refused: str | None = None
    outcomes, payloads, errors = ["success"] * len(bodies), list[str | None](), list[str | None]()
    for n, (body, kind) in enumerate(zip(bodies, kinds, strict=True)):
        payloads.append(None)
        errors.append(None)
        try:
            text = read_text(bytearray(body), kind)
            check_json(text)
            payloads[n] = text.decode()
        except BadPayload as exc:
            outcomes[n], payloads[n], errors[n], refused = "failed", None, str(exc), str(exc)
    db.call(
        "complete_jobs",
        p_runner="w1",
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=outcomes,
        p_payloads=arrays.texts(payloads),
        p_errors=errors,
    )
    return refused


def attack(db: Plan, operation: str, count: int) -> Counter[str]:
    """Spoil one answer of eight, again and again."""
    chunk = chunk_of(db, operation)
    codes: list[str] = chunk["assets"]
    healthy = healthy_answers(operation, codes)
    bars = [len(json.loads(x)) for x in healthy]
    ends = Counter[str]()

    @seed(SEED)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(victim=st.integers(0, 7), data=st.data())
    def spoil(victim: int, data: st.DataObject) -> None:
        body, charset = data.draw(spoilt(healthy[victim])), data.draw(st.sampled_from(CHARSETS))
        check(victim, body, f"{JSON}; charset={charset}")

    def check(victim: int, body: bytes, kind: str = JSON) -> None:
        if sum(ends.values()) % SWEPT == 0:  # what was rolled back lies about
            for table in ("equities.prices", "headgate.asset_processing_state", "headgate.chunks"):
                db.connection.execute(f"vacuum {table}".encode())
        bodies, kinds = [*healthy], [JSON] * len(healthy)
        bodies[victim], kinds[victim] = body, kind
        with db.connection.transaction(force_rollback=True):
            refused = hand_in(db, chunk, bodies, kinds)
            ended = {x["code"]: x for x in db.sql(ENDED)}
            others = [x for n, x in enumerate(codes) if n != victim]
            assert {ended[x]["status"] for x in others} == {"success"}, ended
            if operation == "prices_historical":
                (stored,) = db.sql(STORED, codes=others)
                assert stored["bars"] == sum(bars) - bars[victim]
                assert db.sql(STORED, codes=codes)[0]["insane"] == 0
            spoilt_one = ended[codes[victim]]
            assert spoilt_one["status"] in ("success", "failed"), spoilt_one
            assert spoilt_one["status"] == "success" or spoilt_one["error"], "failed without a word"
            ends["refused" if refused else spoilt_one["status"]] += 1

    for n, body in enumerate(CORPUS):
        check(n % 8, body)
    spoil()
    return ends


def test_spoilt_prices_harm_only_themselves(few: Plan):
    ends = attack(few, "prices_historical", ANSWERS)
    tell(
        f"bad input: {sum(ends.values()):,} spoilt answers with prices: {dict(ends)}, the other 7 in"
    )


def test_spoilt_fundamentals_harm_only_themselves(few: Plan):
    ends = attack(few, "fundamentals_bulk", ANSWERS // 2)
    tell(f"bad input: {sum(ends.values()):,} spoilt fundamentals: {dict(ends)}, the other 7 in")


def test_hostile_arguments_are_refused_with_a_word(toy: Toy):
    db: Plan = toy
    toy.add(12, "W", "books")
    toy.begin("west", pipeline="library")
    toy.claim("w1", 2)
    db.connection.execute("create table public.canary as select 1 as is_alive")
    db.connection.execute(f"set local statement_timeout = '{PATIENCE:.0f} s'")
    throws, told = dice("arguments"), Counter[str]()
    functions = db.sql(FUNCTIONS)
    wrong: list[str] = []
    for number in range(CALLS):
        function = functions[number % len(functions)]
        given_arguments = arguments(throws, function)
        try:
            with db.connection.transaction(force_rollback=True):
                call(db, function["name"], given_arguments)
            told["answered"] += 1
        except psycopg.Error as exc:
            code = exc.sqlstate or "client"
            told[code] += 1
            is_clear = code.startswith(GENTLE) and (exc.diag.message_primary or "").strip()
            if not (is_clear or isinstance(exc, psycopg.DataError)):
                shown = {x: str(y)[:60] for x, y in given_arguments.items()}
                wrong.append(f"{function['name']}({shown}): {code} {exc}")
    assert wrong == [], f"seed {SEED}: {len(wrong)} of {CALLS}: {wrong[:12]}"
    assert db.scalar("select is_alive from public.canary") == 1
    assert db.scalar("select count(*) from headgate.assets") == 12
    assert len(toy.chunks("leased")) == 2
    db.connection.execute("drop table public.canary")
    tell(
        f"bad input: {CALLS:,} hostile calls of {len(functions)} functions: {dict(told.most_common(8))}"
    )


PLAUSIBLE: dict[str, Any] = {
    "p_pipeline": "library", "p_run_id": "r1", "p_step": "west", "p_provider": "shop", "p_universe": "books",
    "p_runner": "w1", "p_ticker": "AAPL.US", "p_code": "W1", "p_asset_id": 1,
}  # fmt: skip
TEXTS = (
    *(x for x in HOSTILE if isinstance(x, str) and x != "\ud800"),
    "data_collection_equities",
    DEEP,
)
NUMBERS = (0, -1, 1, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), None)
TIMES = ("infinity", "-infinity", "0001-01-01", "294276-12-31", "4714-01-01 BC", "2026-06-17", None)


def arguments(throws: random.Random, function: Row) -> dict[str, Any]:
    """Choose hostile values for some arguments and plausible ones for the others."""
    needed = len(function["names"]) - function["defaults"]
    chosen: dict[str, Any] = {}
    for n, (name, kind) in enumerate(zip(function["names"], function["types"], strict=True)):
        if n >= needed and (kind.startswith("any") or throws.random() < 0.4):
            continue
        if name in PLAUSIBLE and throws.random() < 0.6:
            chosen[name] = PLAUSIBLE[name]
        else:
            chosen[name] = hostile(throws, kind)
    return chosen


def hostile(throws: random.Random, kind: str) -> Any:
    """Return a hostile value of a type, as the driver sends it."""
    if kind.endswith("[]"):
        count = throws.choice((0, 1, 2, 300))
        return throws.choice(
            (None, [hostile(throws, kind.removesuffix("[]")) for _ in range(count)])
        )
    if kind == "text":
        return throws.choice((*TEXTS, None))
    if kind in ("bigint", "integer", "smallint"):
        return throws.choice(NUMBERS)
    if kind == "jsonb":
        inner = throws.choice(HOSTILE)
        return throws.choice(
            (Jsonb(inner), Jsonb({"code": inner, "quota": inner}), Jsonb([{"code": inner}]), None)
        )
    if kind == "boolean":
        return throws.choice((True, False, None))
    if kind == "interval":
        return throws.choice(("178000000 years", "-1 day", "0", "1 microsecond", "-infinity", None))
    return throws.choice(TIMES)


def call(db: Plan, name: str, chosen: dict[str, Any]) -> None:
    """Call a function with every argument cast to its own type."""
    kinds = {
        x: y
        for row in db.sql(FUNCTIONS)
        if row["name"] == name
        for x, y in zip(row["names"], row["types"], strict=True)
    }
    passed = SQL(", ").join(
        SQL("{} => %({})s::{}").format(Identifier(x), SQL(x), SQL(kinds[x])) for x in chosen
    )
    schema, _, function = name.partition(".")
    query = SQL("select * from {}({})").format(Identifier(schema, function), passed)
    db.connection.execute(query, chosen).fetchall()
