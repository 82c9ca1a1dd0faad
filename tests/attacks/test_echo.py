"""A provider that echoes every request in every encoding: its secret is in no table, no log and no backup."""

from __future__ import annotations

import base64
import html
import json
import os
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote

import pytest
from aiohttp import web

from headgate.database import dsn_of
from headgate.embedded.server import binaries
from tests.limits import PATIENCE, until
from tests.plan import Row
from tests.runner.conftest import core, core_database, core_plan
from tests.runner.shop import Shop, open_shop
from tests.runner.small_plan import start, status, write_plan
from tests.servers import DB

__all__ = ["core", "core_database", "core_plan"]

SECRET = "S3cr3t/to+ken=Value&7f3a9c%2e"
ENCODINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda x: quote(x, ""),
    lambda x: quote(quote(x, ""), ""),
    lambda x: quote(x, "").replace("%2F", "%2f").replace("%3D", "%3d"),
    lambda x: "".join(f"%{y:02x}" for y in x.encode()),
    lambda x: json.dumps(x),
    lambda x: json.dumps(x).replace("/", r"\/"),
    lambda x: "".join(f"\\u{ord(y):04x}" for y in x),
    html.escape,
    lambda x: "".join(f"&#{ord(y)};" for y in x),
    lambda x: json.dumps(html.escape(x)).replace("&", r"\u0026"),
    lambda x: base64.b64encode(x.encode()).decode(),
    lambda x: base64.urlsafe_b64encode(x.encode()).decode(),
    lambda x: x.encode().hex(),
)
PIECES = sorted(
    {encode(part).strip('"') for encode in ENCODINGS[:11] for part in (SECRET[:6], SECRET[-6:])}
    | {encode(SECRET[skip:][:6]) for encode in ENCODINGS[11:] for skip in range(3)}
    | {encode(SECRET[skip:][12:18]) for encode in ENCODINGS[11:] for skip in range(3)}
)
"""The secret's beginning and end in every form; in base64, from each possible offset in a group of three."""
PLACES = ({"in": "query", "name": "api_token"}, {"in": "header", "name": "X-Key"}, {"in": "bearer"})
STATUSES = (200, 404, 402, 410)
COUNT = len(ENCODINGS) * len(STATUSES)
RULES = (
    {"status": "200", "outcome": "success", "fault": "item", "reason": "answered"},
    {"status": "404", "outcome": "failed", "fault": "item", "reason": "no such thing"},
    {"status": "402", "outcome": "failed", "fault": "item", "reason": "no units left"},
    {"status": "410", "outcome": "skipped", "fault": "item", "reason": "gone"},
)


def echo(request: web.Request) -> web.Response:
    """Send back the request line and the headers, with the secret where a cut might fall."""
    number = int(request.path.rpartition("T")[2])
    encode = ENCODINGS[number % len(ENCODINGS)]
    told = f"{request.method} {request.raw_path} " + " ".join(
        f"{name}: {value}" for name, value in request.headers.items()
    )
    place = told.rfind("S3cr3t")
    padding = " " * (number % 3) + "." * (number % 150)
    body = padding + encode(told[place:] if number % 2 else told)
    return web.Response(
        text=body,
        status=STATUSES[number // len(ENCODINGS) % len(STATUSES)],
        content_type="text/plain",
        headers={"X-Echo": quote(told)[:2_000]},
    )


async def answer(request: web.Request) -> web.StreamResponse:
    return echo(request)


@pytest.mark.parametrize("auth", PLACES, ids=lambda x: x["in"])
async def test_an_echo_leaves_no_trace_of_the_secret(core_plan, core, auth, tmp_path):
    async with open_shop() as shop:
        shop.answer = answer
        rows = work_off(core_plan, shop, auth)
        log = tmp_path / "log"
        with log.open("wb") as file:
            worker = subprocess.Popen(
                [sys.executable, "-m", "headgate", "--verbose", "worker"],
                env={
                    **os.environ,
                    "HEADGATE_DSN": dsn_of(core),
                    "HEADGATE_DB": str(core.db),
                    "SHOP_TOKEN": SECRET,
                },
                cwd=DB.parent,
                stdout=file,
                stderr=file,
            )
        try:
            await until(lambda: worker.poll() or status(core_plan)["status"] != "running")
        finally:
            worker.terminate()
            worker.wait(PATIENCE)
        assert {len(rows()), len(shop.asked) >= COUNT} == {COUNT, True}

    kept = core_plan.sql("select payload from public.answers")
    assert kept and any("[secret]" in row["payload"] for row in kept)
    assert any("[secret]" in (row["error"] or "") for row in rows())
    assert {row["status"] for row in rows()} >= {"success", "failed"}
    dump = ("--data-only", "--inserts", "--exclude-table-data=headgate.trading_sessions")
    dumped = subprocess.run(
        [str(binaries() / "pg_dump"), *dump, dsn_of(core)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "asset_processing_details" in dumped
    for what, text in (("the backup", dumped), ("the log", log.read_text())):
        found = [piece for piece in PIECES if piece in text]
        assert found == [], (what, found, around(text, found))


def work_off(plan, shop: Shop, auth: dict[str, str]) -> Callable[[], list[Row]]:
    """Start a run over all encodings and statuses; return a function that reads its jobs' results."""
    write_plan(
        plan,
        base_url=shop.url,
        assets=COUNT,
        auth=auth,
        secret_name="SHOP_TOKEN",
        rules=RULES,
        provider_columns={"breaker_failures": 1_000},
        operation_columns={"max_attempts": 1},
    )
    start(plan)
    ended = "select status, coalesce(error, reason) as error from headgate.asset_processing_details"
    return lambda: plan.sql(ended)


def around(text: str, found: list[str]) -> str:
    """Return the offset of the first piece that occurs."""
    place = text.find(found[0]) if found else 0
    return text[max(0, place - 100) : place + 100]


def test_the_pieces_are_seen_where_nothing_is_cleared():
    seen = [encode(f"GET /x?api_token={SECRET} HTTP/1.1") for encode in ENCODINGS]

    assert [x for x in seen if not any(piece in x for piece in PIECES)] == []
