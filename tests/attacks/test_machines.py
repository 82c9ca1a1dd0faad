"""Machines fail: the primary is lost, a zone is cut off, a clock is wrong, versions differ. Nothing is lost or done twice."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from headgate import PROTOCOL
from headgate.demo.eodhd import Options, Process, spawn
from tests.acceptance.system import System, end
from tests.attacks.form import either, tell
from tests.attacks.machines import ENDS, SPENT, Seed, addresses, ended, machine, machines
from tests.attacks.things import furnish
from tests.attacks.zones import zone
from tests.db.ledger import assert_ledger_balances
from tests.limits import PATIENCE

JOBS = either(300, 5_000)
THIRD = JOBS // 3
SLOW: list[dict[str, Any]] = [{"match": {}, "fault": {"kind": "latency", "ms": 40}}]
UNKNOWN = "internal: unknown whether it was sent: "
EFFECTS = "select sum(a.times)::integer from toy.answers as a"
REFUSED = "is no longer held by|lost the lease of chunk"
RUN = {"p_pipeline": "plain", "p_run_id": "r1"}


TIMES = """
select bool_and(d.ended_at between %(began)s and headgate.clock())
from headgate.asset_processing_details as d
"""
HOURS = (1, -1)
FAKED = ("LD_PRELOAD", "FAKETIME", "DONT_FAKE_MONOTONIC", "FAKETIME_DONT_FAKE_MONOTONIC")
NEEDS_FAKETIME = pytest.mark.skipif(
    shutil.which("faketime") is None, reason="faketime (Debian's) is not installed here"
)


def off_by(hours: int) -> dict[str, str]:
    """Return the environment of a process with a wrong clock, in which intervals keep their length.

    faketime itself would stay between the test and the process, which would outlive a kill.
    """
    command = ["faketime", "-m", "--exclude-monotonic", "-f", f"{hours:+}h", "env"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = dict(x.split("=", 1) for x in printed.splitlines() if "=" in x)
    return {x: found[x] for x in FAKED if x in found}


def held_after(calls: int) -> list[dict[str, Any]]:
    """Return the faults that answer so many more calls, and hold all others."""
    return [{"match": {"after": calls}, "fault": "hold"}, *SLOW]


def said(system: System, runner: subprocess.Popen[str], what: str) -> bool:
    """Return whether a runner has said something that matches a pattern."""
    return re.search(what, system.said(runner)) is not None


def are_there(system: System, runners: int) -> bool:
    """Return whether so many runners have sent a heartbeat."""
    return bool(system.plan.scalar("select count(*) from headgate.v_runners") == runners)


def test_a_synchronous_standby_takes_over_with_every_answer_and_no_call_is_made_twice(
    seeded: Seed, standin: Process, tmp_path: Path
):
    standin.set_faults(held_after(THIRD))
    with machines(seeded, standin, tmp_path, is_synchronous=True) as there:
        system = there.system
        furnish(system, JOBS, delivery="at_most_once", chunk_size=5, lease="5 seconds")
        runners = [there.worker() for _ in range(3)]
        system.plan.call("run_pipeline", **RUN)
        system.wait(lambda: ended(system) >= THIRD, "a third of the jobs")

        runners[0].kill()  # it was on the primary's machine
        assert there.fail_over() == 0
        standin.set_faults(SLOW)
        system.wait_for_end("r1")

        ends = system.plan.sql(ENDS)
        ledger = standin.ledger()
        unknown = sum(x["jobs"] for x in ends if (x["reason"] or "").startswith(UNKNOWN))
        assert unknown > 0 and ended(system) + unknown == JOBS, ends
        assert {x["requests"] for x in ledger["by_code"].values()} == {1}
        assert ended(system) <= ledger["served_requests"] <= ended(system) + unknown
        assert system.plan.scalar(SPENT) == JOBS
        assert_ledger_balances(system.plan)
        assert [x.poll() for x in runners[1:]] == [None, None]
        tell(
            f"synchronous failover: {JOBS:,} jobs, {unknown} may have been made, none twice, none lost"
        )


def test_an_asynchronous_standby_makes_again_what_it_did_not_hear_of_and_nothing_else(
    seeded: Seed, standin: Process, tmp_path: Path
):
    standin.set_faults(held_after(THIRD))
    with machines(seeded, standin, tmp_path, is_synchronous=False) as there:
        system = there.system
        furnish(system, JOBS, chunk_size=5, lease="5 seconds")
        runners = [there.worker() for _ in range(3)]
        system.plan.call("run_pipeline", **RUN)
        system.wait(lambda: ended(system) >= THIRD, "a third of the jobs")
        there.cut_replication()
        standin.set_faults(held_after(THIRD))
        system.wait(lambda: ended(system) >= 2 * THIRD, "two thirds of the jobs")

        lost = there.fail_over()
        assert lost > 0
        standin.set_faults(SLOW)
        system.wait_for_end("r1")

        assert ended(system) == JOBS
        assert system.plan.scalar(EFFECTS) == JOBS
        served, spent = standin.ledger()["served_units"], system.plan.scalar(SPENT)
        assert JOBS < served <= spent + lost
        assert_ledger_balances(system.plan)
        assert [x.poll() for x in runners] == [None, None, None]
        tell(
            f"asynchronous failover: {JOBS:,} jobs, all done, {lost:,} units lost with the primary;"
            f" served {served:,} <= charged {spent:,} + {lost:,}"
        )


def test_runners_that_are_cut_off_are_done_without_and_what_they_bring_late_changes_nothing(
    seeded: Seed, tmp_path: Path
):
    with (
        zone() as cut_off,
        spawn(Options(quota=None, rate=None, extended=True, host=cut_off.others.here)) as standin,
        machine(seeded, standin, tmp_path, cut_off.database.here) as (system, server),
    ):
        standin.set_faults(held_after(THIRD))
        furnish(system, JOBS, chunk_size=5, lease="3 seconds")
        far = addresses(
            server,
            host=cut_off.database.here,
            role="headgate_runner",
            tcp_user_timeout=2000,
            connect_timeout=2,
        )
        near = [system.worker(concurrency=4) for _ in range(2)]
        others = [
            system.worker(concurrency=4, entrance=cut_off.entrance, HEADGATE_DSN=far)
            for _ in range(2)
        ]
        system.wait(partial(are_there, system, 4), "all runners")
        system.plan.call("run_pipeline", **RUN)
        all_work = "select count(distinct runner) = 4 from headgate.v_leases"
        system.wait(lambda: system.plan.scalar(all_work), "leases of all runners")
        cut_off.cut()
        standin.set_faults(SLOW)
        for runner in others:
            system.wait(
                partial(said, system, runner, "lost the database, waiting for it"), "a loss"
            )
        system.wait_for_end("r1")
        assert ended(system) == JOBS

        cut_off.reconnect()
        for runner in others:
            system.wait(partial(said, system, runner, REFUSED), "a late answer")
        served, spent = standin.ledger()["served_units"], system.plan.scalar(SPENT)
        assert JOBS < served <= spent
        assert system.plan.scalar(EFFECTS) == JOBS
        assert_ledger_balances(system.plan)

        for runner in near:
            end(runner, signal.SIGTERM)
        system.plan.call("run_pipeline", p_pipeline="plain", p_run_id="r2")
        system.wait_for_end("r2")
        assert system.plan.scalar(EFFECTS) == ended(system) == 2 * JOBS
        tell(f"two of four runners cut off: {JOBS:,} jobs, served {served:,} <= charged {spent:,}")


@NEEDS_FAKETIME
def test_runners_whose_clocks_are_an_hour_wrong_either_way_do_as_any_other(
    seeded: Seed, standin: Process, tmp_path: Path
):
    busy = {"match": {"every": 100}, "fault": {"kind": "status", "status": 429, "retry_after": 1}}
    standin.set_faults(held_after(THIRD))
    with machine(seeded, standin, tmp_path) as (system, _):
        furnish(system, JOBS, chunk_size=5, lease="5 seconds")
        system.plan.sql("update headgate.providers set requests_per_minute = 6000")
        began = system.plan.value("clock")
        runners = [system.worker(concurrency=4, **off_by(x)) for x in HOURS]
        system.wait(partial(are_there, system, 2), "both runners")
        system.plan.call("run_pipeline", **RUN)
        both_work = "select count(distinct runner) = 2 from headgate.v_leases"
        system.wait(lambda: system.plan.scalar(both_work), "leases of both runners")
        standin.set_faults([busy, *SLOW])
        system.wait_for_end("r1")

        assert ended(system) == system.plan.scalar(EFFECTS) == JOBS
        assert system.plan.scalar(TIMES, began=began)
        assert standin.ledger()["served_units"] <= system.plan.scalar(SPENT)
        assert standin.ledger()["rejected"].keys() == {"429"}
        assert_ledger_balances(system.plan)
        assert [x.poll() for x in runners] == [None, None]


def next_version(db: Path, to: Path) -> Path:
    """Copy db/ to a version with other functions, arguments and columns."""
    shutil.copytree(db, to)
    functions = to / "functions"
    for path in (*functions.glob("runner/*.sql"), *functions.glob("queue/*.sql")):
        path.write_text(path.read_text() + "-- Of the next version.\n")
    more = "p_room integer default null"
    for name in ("claim_jobs", "complete_jobs"):  # dropped and created
        path = functions / "runner" / f"{name}.sql"
        text = path.read_text().replace(more, f"{more},\n    p_more text default null")
        path.write_text(text.replace("integer, integer) is", "integer, integer, text) is"))
    number = len(list((to / "migrations").glob("*.sql"))) + 1
    column = "alter table headgate.{} add column of_the_next_version integer;\n"
    tables = ("chunks", "operations", "providers", "asset_processing_state")
    (to / "migrations" / f"{number:04d}_next.sql").write_text("".join(map(column.format, tables)))
    return to


def serve(db: Path, oldest: int, newest: int) -> None:
    """Let a version of db/ serve these protocols of runners."""
    path = db / "functions" / "runner" / "_protocols.sql"
    path.write_text(
        re.sub(r"int4range\(\d, \d,", f"int4range({oldest}, {newest},", path.read_text())
    )


def test_runners_old_and_new_work_through_a_migration_and_those_not_served_hand_in_what_they_hold(
    seeded: Seed, standin: Process, tmp_path: Path
):
    standin.set_faults(held_after(2 * THIRD))
    with machine(seeded, standin, tmp_path) as (system, _):
        furnish(system, JOBS, chunk_size=5, lease="1 minute")
        old = [system.worker(concurrency=2) for _ in range(2)]
        system.plan.call("run_pipeline", **RUN)
        system.wait(lambda: ended(system) >= THIRD, "a third of the jobs")

        newer = next_version(seeded.db, tmp_path / "newer")
        serve(newer, PROTOCOL, PROTOCOL + 1)
        assert system.spawn("migrate", HEADGATE_DB=str(newer)).wait(PATIENCE) == 0
        late = [system.worker(concurrency=2), system.worker(concurrency=2, HEADGATE_DB=str(newer))]
        system.wait(partial(are_there, system, 4), "all runners")
        standin.set_faults(held_after(2 * THIRD))
        system.wait_for_end("r1")
        assert ended(system) == system.plan.scalar(EFFECTS) == JOBS
        assert standin.ledger()["served_units"] == system.plan.scalar(SPENT) == JOBS
        assert [x.poll() for x in (*old, *late)] == [None] * 4
        assert said(system, late[0], f"it works, as protocol {PROTOCOL} is served")

        system.plan.call("run_pipeline", p_pipeline="plain", p_run_id="r2")
        system.wait(lambda: ended(system) >= JOBS + THIRD // 2, "a sixth of the jobs")
        serve(newer, PROTOCOL + 1, PROTOCOL + 1)
        assert system.spawn("migrate", HEADGATE_DB=str(newer)).wait(PATIENCE) == 0
        standin.set_faults(SLOW)
        runners = (*old, *late, system.worker())
        assert [x.wait(PATIENCE) for x in runners] == [1] * 5
        for runner in runners:
            assert said(
                system,
                runner,
                rf"the runner speaks protocol {PROTOCOL}, the database {PROTOCOL + 1} \[HG025\]\nhint: ",
            )
        assert ended(system) < 2 * JOBS
        assert system.plan.scalar("select count(*) from headgate.v_leases") == 0
        assert standin.ledger()["served_units"] == system.plan.scalar(SPENT) == ended(system)
        assert_ledger_balances(system.plan)
