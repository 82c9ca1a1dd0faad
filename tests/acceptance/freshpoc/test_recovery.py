"""[P3]: continuing a failed run, from psql and from the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.freshpoc.conftest import PIPELINE, Poc

WAYS = ("psql", "command line")


@pytest.fixture
def failed(poc: Poc) -> Poc:
    """A run whose writer has answered that it failed."""
    poc.plan.sql("update headgate.pipeline_steps set retries = 0")
    poc.services["writer"].fail("status", times=1, status=500)
    assert poc.run()[0] == 1
    return poc


def tell(poc: Poc, way: str, function: str, command: list[str], **more: Any) -> None:
    """Carry out an action either way, and let a runner continue the run."""
    if way == "psql":
        poc.recover(function, **more)
    else:
        name, *rest = command
        poc.command(name, str(poc.last_run()["run_id"]), *rest)
    poc.spawn("worker")
    poc.end()


@pytest.mark.parametrize("way", WAYS)
def test_p3_a_run_continues_from_its_failed_step(failed: Poc, way: str):
    tell(failed, way, "retry_failed", ["retry"])

    assert failed.served() == [1] * 5
    assert set(failed.statuses().values()) == {"succeeded"}
    assert failed.last_run()["status"] == "succeeded"


@pytest.mark.parametrize("way", WAYS)
def test_p3_a_step_is_skipped_and_what_depends_on_it_is_skipped(failed: Poc, way: str):
    options = ["writer_apply", "--behind"]
    tell(failed, way, "skip_step", ["skip", *options], p_step="writer_apply", p_behind=True)

    assert failed.served() == [1, 1, 1, 0, 0]
    assert failed.statuses()["writer_apply"] == "skipped"
    assert failed.statuses()["report_generate"] == "skipped"
    assert failed.last_run()["status"] == "succeeded"


@pytest.mark.parametrize("way", WAYS)
def test_p3_a_step_is_marked_as_succeeded_and_what_depends_on_it_continues(failed: Poc, way: str):
    options = ["writer_apply", "succeeded"]
    tell(failed, way, "mark_step", ["mark", *options], p_step="writer_apply", p_status="succeeded")

    assert failed.served() == [1, 1, 1, 0, 1]
    assert set(failed.statuses().values()) == {"succeeded"}
    assert failed.last_run()["status"] == "succeeded"


@pytest.mark.parametrize("way", WAYS)
def test_p3_a_step_and_all_later_steps_run_again(poc: Poc, way: str):
    assert poc.run()[0] == 0
    tell(poc, way, "rerun_step", ["rerun", "analyzer_run"], p_step="analyzer_run")

    assert poc.served() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize("way", WAYS)
def test_p3_the_same_run_again_doubles_nothing(poc: Poc, way: str):
    assert poc.run()[0] == 0
    tell(poc, way, "retry_failed", ["retry"])
    poc.plan.call("start_execution", p_pipeline=PIPELINE, p_run_id=poc.last_run()["run_id"])

    assert poc.served() == [1] * 5
    assert poc.plan.sql("select count(*) from freshpoc.answers")[0]["count"] == 5


def test_p3_a_writer_that_may_have_been_called_is_called_again_when_a_person_asks_for_it(poc: Poc):
    poc.services["writer"].fail("cut", times=1)
    assert poc.run()[0] == 1
    (writer,) = poc.plan.sql("select asset_id from headgate.v_assets where code = 'writer'")
    poc.plan.call("reset_asset", p_asset_id=writer["asset_id"])
    tell(poc, "psql", "retry_failed", [])

    assert poc.served() == [1] * 5
    assert poc.last_run()["status"] == "succeeded"


def test_p3_the_next_run_calls_the_writer_whatever_became_of_it_in_this(poc: Poc):
    poc.services["writer"].fail("cut_after", times=1)
    assert poc.run()[0] == 1
    assert poc.run()[0] == 0

    assert poc.served() == [2, 2, 2, 2, 1]
