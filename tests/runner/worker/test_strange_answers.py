"""Unusual answers of real servers: each harms at most its own job, and memory is bounded."""

from __future__ import annotations

import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from headgate.database import dsn_of
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.attacks.form import either
from tests.limits import until
from tests.plan import Plan
from tests.runner.raw import as_json, open_raw, plain
from tests.runner.shop import Shop, body_of
from tests.runner.small_plan import start, status, write_plan
from tests.servers import DB

MEGABYTE = 1_048_576
LISTENING = "select count(*) from pg_stat_activity where datname = current_database() and application_name ~ 'listening'"
JSON = {
    "status": "200",
    "content_type": "json",
    "outcome": "success",
    "fault": "item",
    "reason": "data",
}
NO_JSON = {
    "status": "200",
    "outcome": "retry",
    "fault": "provider",
    "reason": "no JSON: maintenance",
}
ENDED = """
select a.code, d.status, coalesce(d.error, d.reason) as told
from headgate.asset_processing_details as d join headgate.assets as a using (asset_id)
"""
BOOKS = "select sum(spent) as spent, sum(reserved) as reserved from headgate.quota_windows"
STRANGE: dict[str, tuple[bytes, str, str]] = {
    "half a pair": (as_json(b'{"n": "+2AA-"}').replace(b"json", b"json; charset=utf-7"), "failed", "charset is 'utf-7'"),
    "no charset": (as_json(b"5b5d").replace(b"json", b"json; charset=hex"), "failed", "charset is 'hex'"),
    "a codec that raises": (as_json(b"[]").replace(b"json", b"json; charset=undefined"), "failed", "'undefined'"),
    "NUL": (as_json(b'["\0"]'), "failed", "NUL"),
    "another charset": (as_json(b"\xff[]"), "failed", "not utf-8 text"),
    "an encoding": (as_json(b"[]", b"Content-Encoding: br"), "failed", "encoded as 'br'"),
    "a broken encoding": (as_json(b"[]", b"Content-Encoding: gzip"), "failed", "encoding is broken"),
    "half an encoding": (as_json(gzip.compress(b"[1]")[:-4], b"Content-Encoding: x-gzip"), "failed", "too early"),
    "members": (as_json(gzip.compress(b"[1") + gzip.compress(b"]"), b"Content-Encoding: gzip"), "success", ""),
    "many digits": (as_json(b"[" + b"9" * 5_000 + b"]"), "success", ""),
    "a long header": (as_json(b"[]", b"X: " + b"x" * 20_000), "success", ""),
    "many headers": (as_json(b"[]", *(b"X-%d: y" % n for n in range(300))), "success", ""),
    "a header without end": (as_json(b"[]", b"X: " + b"x" * 100_000), "failed", "headers are larger"),
    "no content": (plain(b"", status=b"204 No Content"), "skipped", "the provider has nothing for it (204)"),
    "not modified": (plain(b"", status=b"304 Not Modified"), "skipped", "nothing for it (304)"),
    "an empty page": (plain(b"", b"Content-Type: text/html"), "failed", "the answer is empty"),
    "empty JSON": (as_json(b""), "failed", "the answer is empty"),
}  # fmt: skip


@pytest.fixture
def database(core_database: Settings, core_template: Settings) -> Settings:
    return replace(core_database, db=core_template.db)


@pytest.fixture
def plan(core_plan: Plan) -> Plan:
    return core_plan


async def run_to_its_end(settings: Settings, plan: Plan, **more) -> None:
    async def has_ended() -> bool:
        return bool(status(plan)["status"] != "running")

    await work(settings, until=has_ended, **more)


async def test_each_strange_answer_harms_its_own_job_at_most(plan, database):
    names = list(STRANGE)

    def answer(head: bytes) -> bytes:
        number = int(head.split(b" ")[1].rpartition(b"T")[2])
        return STRANGE[names[number]][0] if number < len(names) else as_json(b"[1]")

    async with open_raw() as raw:
        raw.answer = answer
        write_plan(
            plan,
            base_url=raw.url,
            assets=len(names) + 20,
            rules=(JSON, NO_JSON),
            provider_columns={"quota": 1_000, "breaker_failures": 1},
            operation_columns={"units": 1, "max_attempts": 1},
        )
        start(plan)
        await run_to_its_end(database, plan)
        served = len(raw.heads)

    ended = {row["code"]: row for row in plan.sql(ENDED)}
    for number, (name, (_, outcome, told)) in enumerate(STRANGE.items()):
        row = ended[f"T{number}"]
        assert (name, row["status"]) == (name, outcome), row
        assert told in (row["told"] or ""), row
    assert {ended[f"T{n}"]["status"] for n in range(len(names), len(names) + 20)} == {"success"}
    assert plan.sql(
        "select state, failures from headgate.v_provider_health where provider = 'shop'"
    ) == [{"state": "flowing", "failures": 0}]
    (books,) = plan.sql(BOOKS)
    assert (served, books) == (len(names) + 20, {"spent": served, "reserved": 0})


@pytest.fixture
def start_worker(database: Settings) -> Iterator[Callable[..., psutil.Popen]]:
    """Start a worker in its own process, killed at the end."""
    known = {"HEADGATE_DSN": dsn_of(database), "HEADGATE_DB": str(database.db)}
    started = []

    def begin(**environ: str) -> psutil.Popen:
        command = (sys.executable, "-m", "headgate", "worker")
        process = psutil.Popen(command, env={**os.environ, **known, **environ}, cwd=DB.parent)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def peak_of(process: psutil.Popen) -> int:
    """Return the most memory a process has had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def bomb(size: int) -> bytes:
    """Compress this many spaces, without ever holding them in memory."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    piece = b" " * MEGABYTE
    return b"".join([*(packer.compress(piece) for _ in range(size // MEGABYTE)), packer.flush()])


async def peak_while_answered(
    plan: Plan, shop: Shop, start_worker: Callable[..., psutil.Popen], **operation: int
) -> int:
    """Let a worker with a buffer of 64 MB make twenty calls at once; return the growth of its memory."""
    operation_columns = {"max_attempts": 1, "chunk_size": 1, **operation}
    write_plan(plan, base_url=shop.url, assets=20, operation_columns=operation_columns)
    worker = start_worker(HEADGATE_MAX_BUFFER="64MB")
    await until(lambda: plan.scalar(LISTENING))
    before = peak_of(worker)
    shop.answer = shop.together(20, shop.answer)
    start(plan)
    await until(lambda: status(plan)["status"] != "running")
    return peak_of(worker) - before


async def test_the_decoded_size_of_answers_is_bounded_for_the_whole_worker(
    plan, shop, start_worker
):
    shop.answer = body_of(bomb(200 * MEGABYTE), "application/json", Content_Encoding="gzip")

    grown = await peak_while_answered(plan, shop, start_worker, max_bytes=30 * MEGABYTE)

    told = {(x["status"], x["told"]) for x in plan.sql(ENDED)}
    assert told == {("failed", f"the answer is larger than {30 * MEGABYTE} bytes")}
    assert grown < 100 * MEGABYTE


@pytest.mark.parametrize("sign", either(["🐟"], ["", "🐟"]))
async def test_large_answers_are_read_in_turn_and_all_are_taken(plan, shop, start_worker, sign):
    """A character beyond the first 65,536 makes a Python string four times as large."""
    body = f'["{sign}'.encode() + b" " * (15 * MEGABYTE) + b'"]'
    shop.answer = body_of(body, "application/json")

    grown = await peak_while_answered(plan, shop, start_worker)

    assert [x["status"] for x in plan.sql(ENDED)] == ["success"] * 20
    assert plan.scalar("select min(octet_length(payload)) from public.answers") == len(body)
    assert grown < 250 * MEGABYTE, "the buffer, and what is on its way into the database"
