"""A runner of the last version lacks a handler that the plan names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.handlers.compute_plan import ends, start, status, write_plan

HANDLER = "of_the_next_version:means"
NEWER = "from tests.runner.handlers.samples import mean as means"
ALERT = "select message, resolved_at is not null as is_over from headgate.alerts"


async def test_an_old_runner_says_what_it_lacks_its_run_fails_and_a_newer_one_does_the_jobs(
    plan, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_plan(plan, HANDLER, chunk_size=4)
    start(plan)
    await run()

    told = f"there is no handler {HANDLER!r}: ModuleNotFoundError: No module named 'of_the_next_version'"
    deferred = ("deferred", f"internal: {told}")
    assert list(ends(plan).values()) == [{deferred}] * 10
    assert (status(plan)["status"], status(plan)["deferred"]) == ("failed", 10)
    (alert,) = plan.sql(ALERT)
    assert told in alert["message"] and "headgate.retry_failed" in alert["message"]

    (tmp_path / "of_the_next_version.py").write_text(NEWER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    plan.call("retry_failed", p_pipeline="compute", p_run_id="r1")
    await run()

    assert list(ends(plan).values()) == [{deferred, ("success", None)}] * 10
    assert (status(plan)["status"], status(plan)["succeeded"]) == ("succeeded", 10)
    assert plan.sql(ALERT) == [{**alert, "is_over": True}]
