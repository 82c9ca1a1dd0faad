"""[O1]: a runner is killed in the middle of a crawl: pages handed in are not requested again, none is left out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from headgate.settings import Settings
from tests.acceptance.freshpoc.conftest import Poc
from tests.acceptance.onpoint.conftest import DATA, Lake
from tests.acceptance.onpoint.test_crawl_web import ALLOWED, asked
from tests.limits import wait_until


@pytest.fixture
def runners(lake: Lake, small_database: Settings, tmp_path: Path) -> Iterator[Poc]:
    """Start runners in their own processes."""
    runners = Poc(small_database, lake.services, tmp_path, lake.plan)
    try:
        yield runners
    finally:
        for process in runners.processes:
            process.kill()
            process.wait()


def handed_in(lake: Lake) -> set[str]:
    """Return the pages whose jobs have ended."""
    rows = lake.plan.sql(
        "select asset from headgate.v_asset_processing_history where operation = 'onpoint_page'"
    )
    return {x["asset"] for x in rows}


@pytest.mark.parametrize("at", [3, 12, 25])
def test_o1_another_runner_continues_with_the_crawl(lake: Lake, runners: Poc, at: int):
    lake.plan.sql("update headgate.operations set lease = '5 seconds' where name = 'onpoint_page'")
    site = lake.services["website"]
    params = {"max_stories": 3}
    (run,) = lake.plan.call("run_pipeline", p_pipeline=DATA, p_params=params)
    killed = runners.spawn("worker")
    wait_until(lambda: len(site.calls) > at, f"{at} calls")
    site.hold()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    site.release()
    done = handed_in(lake)
    runners.spawn("worker")
    wait_until(  # the run of the notices goes on: no mail server listens
        lambda: lake.steps(run["run_id"])["finalize_execution"] == "succeeded", "the end of the run"
    )

    assert lake.steps(run["run_id"])["crawl_web"] == "succeeded"
    calls = asked(site)
    assert set(calls) == {"/robots.txt", *ALLOWED}
    assert {x for x, times in calls.items() if times > 1}.isdisjoint(done)
    assert max(calls.values()) <= 2
    assert handed_in(lake) == ALLOWED
