"""A runner's figures are measured here, sent with a heartbeat, and shown by headgate.v_runners."""

from __future__ import annotations

import asyncio
import time

import pytest

from headgate.worker import figures, heartbeat
from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from headgate.worker.wire import Traffic
from tests.limits import until
from tests.runner.raw import open_raw

OK = [{"status": "200-299", "outcome": "success", "fault": "item", "reason": "ok"}]


def test_figures_are_of_this_process():
    measured = figures.Figures(Traffic(opened=1, reused=2))
    while time.process_time() - measured._busy < 0.01:
        pass
    taken = measured.taken()

    assert (taken["calls"], taken["connections_opened"], taken["connections_reused"]) == (3, 1, 2)
    assert 1_000_000 < taken["memory"] <= taken["peak_memory"]
    assert taken["cpu_percent"] > 0
    assert 0 < taken["disk_percent"] <= 100


async def test_a_connection_is_opened_once_and_used_again():
    caller = Caller(1)
    async with open_raw() as raw:
        row = {"base_url": raw.url, "timeout_seconds": 20, "rules": OK, "in_flight": 1}
        for _ in range(3):
            assert (await caller.fetch(Call.from_row(row), "/x")).outcome.is_success
        await caller.aclose()

    assert (caller.traffic.opened, caller.traffic.reused) == (1, 2)


async def test_providers_with_the_same_address_share_connections(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("A_KEY", "a-secret")
    monkeypatch.setenv("B_KEY", "b-secret")
    caller = Caller(1)
    async with open_raw() as raw:
        row = {"base_url": raw.url, "timeout_seconds": 20, "rules": OK, "in_flight": 1}
        each = {"base_url": "{asset.base_url}", "hosts": [raw.url.removeprefix("http://")]}
        for name, changes in (("A", {}), ("B", {}), ("A", each)):
            auth = {"in": "header", "name": f"X-{name}", "secret": f"{name}_KEY"}
            call = Call.from_row({**row, "auth": auth, **changes})
            url = f"{raw.url}/x" if changes else "/x"
            assert (await caller.fetch(call, url)).outcome.is_success
        await caller.aclose()

    assert (caller.traffic.opened, caller.traffic.reused) == (1, 2)
    assert [b"-secret" in x and b"a-secret" in x for x in raw.heads] == [True, False, True]
    assert [x.count(b"-secret") for x in raw.heads] == [1, 1, 1]


async def test_figures_are_seen_with_the_runner(connections, core_plan):
    beating = asyncio.create_task(heartbeat.beat(connections, Traffic(opened=4, reused=5)))
    await until(lambda: core_plan.sql("select runner from headgate.v_runners"))
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)

    (row,) = core_plan.sql("select * from headgate.v_runners")
    assert (row["calls"], row["connections_opened"], row["connections_reused"]) == (9, 4, 5)
    assert row["memory"] > 1_000_000 and row["cpu_percent"] >= 0
