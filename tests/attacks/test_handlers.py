"""What a hostile handler could reveal, forge or take: it sees no secret, and no code in its answers can run."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.handlers.pool import ALWAYS, environ_of_handlers
from headgate.handlers.pool_messages import Done, Garbage, Input, Job, Task, head_of, read_done
from headgate.worker.worker import work
from tests.limits import PATIENCE
from tests.runner.conftest import core_database, core_plan
from tests.runner.handlers.compute_plan import ends, start, status, write_plan

__all__ = ["core_database", "core_plan"]

SECRETS = {
    "EODHD_API_TOKEN": "a-provider-s-secret",
    "HEADGATE_DSN": "postgresql://headgate:a-database-s-secret@127.0.0.1/headgate",
    "PGPASSWORD": "a-database-s-secret",
    "PGPASSFILE": "/a/database/s/secret",
    "AWS_SECRET_ACCESS_KEY": "a-cloud-s-secret",
    "HEADGATE_RUNNER_PASSWORD": "a-runner-s-secret",
}
KEY = "key/of+a=model 42"
TASK = Task("", "", {}, [4, 5], ["a", "b"], [None, None], Input(), None, 1, 2**30)
DONE = Done(
    [Job(4, "success", None, "[1]"), Job(5, "failed", "no")],
    b"\0",
    [1, 0],
    seconds=0.5,
    peak_memory=9,
)


@pytest.fixture
def run(core_database):
    """Work until the run has ended."""

    async def run(plan):
        async def has_ended() -> bool:
            return bool(status(plan)["status"] != "running")

        async with asyncio.timeout(PATIENCE):
            await work(core_database, until=has_ended, processes=1)

    return run


async def test_a_handler_sees_no_secret_of_its_runner(core_plan, run, monkeypatch):
    for name, value in SECRETS.items():
        if name not in ("HEADGATE_DSN", "PGPASSWORD", "PGPASSFILE"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "UTC")
    write_plan(core_plan, "tests.runner.handlers.samples:tells_its_environment", max_attempts=1)
    start(core_plan)

    await run(core_plan)

    for ((outcome, told),) in ends(core_plan).values():
        assert outcome == "failed"
        assert told is not None and "TZ=UTC" in told and "secret" not in told


def test_a_handler_sees_only_harmless_or_declared_variables():
    harmless = {"PATH": "/bin", "LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PYTHONPATH": "."}
    declared = {"CUDA_VISIBLE_DEVICES": "0", "MODEL_KEY": "k"}
    seen = environ_of_handlers(
        {**SECRETS, **harmless, **declared, "OTHER_KEY": "o"},
        [*declared, "NOWHERE", "HEADGATE_DSN", "PGPASSWORD", "HEADGATE_RUNNER_PASSWORD"],
    )

    assert seen.pop("OMP_NUM_THREADS") == "1"
    left = {x: y for x, y in seen.items() if x not in ALWAYS}
    assert left == {**harmless, **declared}


async def test_a_handlers_variables_appear_in_no_error_and_no_log(
    core_plan, run, monkeypatch, caplog
):
    caplog.set_level(logging.DEBUG, "headgate")
    monkeypatch.setenv("HEADGATE_TEST_KEY", KEY)
    write_plan(
        core_plan,
        "tests.runner.handlers.samples:tells_what_it_was_given",
        max_attempts=1,
        assets=5,
        handler_environment=["HEADGATE_TEST_KEY"],
    )
    start(core_plan)

    await run(core_plan)

    found = ends(core_plan)
    ((outcome, told),) = found.pop("P3")
    assert (outcome, "its last words: it ends with [secret]" in str(told)) == ("deferred", True)
    for ((outcome, told),) in found.values():
        assert outcome == "failed"
        assert str(told).startswith(
            r"ValueError: [secret]: wrong\u202egnp.exe \x1b[31m[secret][secret]"
        )
        assert len(str(told)) <= 2_000
    everything = caplog.text + repr(ends(core_plan))
    assert "a handler says: my key is [secret]" in caplog.text
    for piece in (KEY[:6], "%2B", "a2V5L29m"):
        assert piece not in everything


async def test_an_answer_that_would_run_is_garbage(core_plan, run, monkeypatch, tmp_path: Path):
    trace = tmp_path / "it-ran"
    monkeypatch.setenv("HEADGATE_TEST_TRACE", str(trace))
    write_plan(
        core_plan,
        "tests.runner.handlers.samples:answers_with_a_bomb",
        assets=1,
        handler_environment=["HEADGATE_TEST_TRACE"],
    )
    start(core_plan)

    await run(core_plan)

    (((outcome, told),),) = ends(core_plan).values()
    assert (outcome, "its process answered with garbage" in str(told)) == ("deferred", True)
    assert not trace.exists()


def test_an_answer_arrives_as_it_was():
    assert read_done(head_of(DONE), DONE.rows, TASK) == DONE
    lost = Done([], lost="it needed more than 5 MB of memory", must_end="so it ends")
    assert read_done(head_of(lost), b"", TASK) == lost


@pytest.mark.parametrize(
    "change",
    [
        {"outcomes": ["success"]}, {"outcomes": ["success", "spent"]}, {"outcomes": [[], {}]}, {"outcomes": None},
        {"outcomes": []}, {"errors": [None, 5]}, {"errors": [None]}, {"errors": "ab c"}, {"row_counts": [1]},
        {"row_counts": [-1, 0]}, {"row_counts": [1.5, 0]}, {"row_counts": [True, 0]}, {"row_counts": [2**40, 0]},
        {"seconds": "0"}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"seconds": -1.0}, {"lost": 7},
        {"cpu_seconds": -1.0}, {"must_end": ["x"]}, {"peak_memory": "much"}, {"peak_memory": 2.5}, {"peak_memory": 2**80},
    ],
)  # fmt: skip
def test_an_invalid_answer_is_rejected(change):
    said = json.loads(head_of(DONE))

    with pytest.raises(Garbage):
        read_done(json.dumps({**said, **change}).encode(), b"", TASK)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.sampled_from([b"[" * 100_000, b"null", b"{}", pickle.dumps(9)]))
def test_no_noise_is_taken_for_an_answer(noise):
    with pytest.raises(Garbage):
        read_done(noise, b"", replace(TASK, asset_ids=[]))
