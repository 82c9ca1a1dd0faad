"""A backup taken in the middle of a run, restored: the run continues, and no call is repeated needlessly."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

from headgate.database import connect
from headgate.demo.eodhd import Process
from headgate.settings import Settings
from tests.acceptance.ledger import check_bars, check_settled, jobs
from tests.acceptance.system import System, end, killed_at_the_end
from tests.servers import DB

COUNT = 60
LEASED = (
    "select coalesce(sum(cardinality(asset_ids)), 0) from headgate.chunks where state = 'leased'"
)


@pytest.fixture
def core(
    clone_for_test: Callable[[Settings], Settings],
    core_template: Settings,
    standin: Process,
    tmp_path: Path,
) -> Iterator[System]:
    """Return a system without plans, which is quickly saved and restored."""
    settings = replace(clone_for_test(core_template), db=core_template.db)
    with killed_at_the_end(System(settings, standin, tmp_path)) as system:
        yield system


def headgate(system: System, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        cwd=DB.parent,
        env=system.environ() | environ,
        capture_output=True,
        text=True,
    )


def test_a_restored_database_continues_where_the_backup_was_taken(system: System):
    codes = system.codes(COUNT)
    system.hold(after=15)
    run_id = system.start(tickers=codes, bulk_load_batch_size=5)
    runner = system.worker(concurrency=4)
    system.wait(lambda: jobs(system, run_id).get("success"), "a first success")
    system.plan.sql(
        "insert into headgate.cached_answers"
        " select 'k', min(operation_id), '{}', '{}', 4, now(), now() + interval '1 day' from headgate.operations"
    )
    dump, database = system.folder / "mid-run.dump", system.settings.database + "_restored"

    done = headgate(system, "backup", str(dump))
    assert done.returncode == 0, done.stderr
    assert end(runner, signal.SIGKILL) == -signal.SIGKILL
    made = system.standin.ledger()["requests"]
    assert stat.S_IMODE(dump.stat().st_mode) == 0o600
    again = headgate(system, "backup", str(dump))
    assert (again.returncode, "already exists" in again.stderr) == (1, True)

    done = headgate(system, "restore", str(dump), HEADGATE_DATABASE=database)
    assert done.returncode == 0, done.stderr
    assert "reconcile_quota" in done.stderr + done.stdout
    restored = System(system.settings.with_database(database), system.standin, system.folder / "r")
    restored.folder.mkdir()
    with killed_at_the_end(restored):
        known = jobs(restored, run_id).get("success", 0)
        leased = restored.plan.scalar(LEASED)
        assert 0 < known < 2 * COUNT
        assert wrong(restored) == set()
        assert restored.plan.scalar("select count(*) from headgate.cached_answers") == 0
        restored.expire_leases()
        restored.disconnect()
        restored.worker(concurrency=8)

        assert restored.wait_for_end(run_id)["status"] == "succeeded"
        assert jobs(restored, run_id) == {"success": 2 * COUNT}
        assert restored.standin.ledger()["requests"] - made == 2 * COUNT - known
        check_settled(restored)
        check_bars(restored, codes)
        assert leased <= 2 * COUNT - known
    with connect(system.settings, "test") as connection:
        connection.execute(f'drop database "{database}" with (force)'.encode())


def wrong(system: System) -> set[str]:
    """Return the doctor's findings in a database that was just restored."""
    return {x["subject"] for x in system.plan.call("examine") if x["verdict"] == "fail"}


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "x.dump does not exist"), ("select 1", "pg_restore ended with 1")],
    ids=["nothing", "text"],
)
def test_a_file_that_is_not_a_backup_is_refused_and_creates_no_database(
    core: System, content: str | None, message: str
):
    file = core.folder / "x.dump"
    if content is not None:
        file.write_text(content)
    done = headgate(core, "restore", str(file), HEADGATE_DATABASE="headgate_never")

    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert core.plan.sql("select 1 from pg_database where datname = 'headgate_never'") == []


def test_a_database_that_is_there_is_not_touched(core: System):
    file = core.folder / "x.dump"
    assert headgate(core, "backup", str(file)).returncode == 0
    done = headgate(core, "restore", str(file))

    assert done.returncode == 1
    assert "is there already: nothing was restored" in done.stderr
    assert "hint: set HEADGATE_DATABASE to another database, or drop this one first" in done.stderr


def test_text_comes_back_as_it_was_whatever_the_environment_says(core: System):
    name, latin = "Zürich, 東京 €", {"PGCLIENTENCODING": "LATIN1"}
    asset = [{"code": name, "group_key": "G"}]
    core.plan.call("upsert_assets", p_universe="towns", p_assets=Jsonb(asset))
    dump, database = core.folder / "towns.dump", core.settings.database + "_towns"

    done = headgate(core, "backup", str(dump), **latin)
    assert done.returncode == 0, done.stderr
    done = headgate(core, "restore", str(dump), HEADGATE_DATABASE=database, **latin)
    assert done.returncode == 0, done.stderr
    with connect(core.settings.with_database(database), "test") as connection:
        query = "select code from headgate.v_assets where universe = 'towns'"
        assert connection.execute(query).fetchall() == [{"code": name}]
    with connect(core.settings, "test") as connection:
        connection.execute(f'drop database "{database}" with (force)'.encode())


def test_a_notice_that_waited_is_not_sent_by_the_restored_database(system: System):
    system.plan.call(
        "notify", p_channel="recommender_slack", p_subject="News", p_body="x", p_key="once"
    )
    dump, database = system.folder / "news.dump", system.settings.database + "_news"

    assert headgate(system, "backup", str(dump)).returncode == 0
    done = headgate(system, "restore", str(dump), HEADGATE_DATABASE=database)

    assert done.returncode == 0, done.stderr
    assert "1 notices that waited may have been sent since and are not sent" in done.stderr
    query = "select status from headgate.v_notices where subject = 'News'"
    assert system.plan.scalar(query) == "waiting"
    with connect(system.settings.with_database(database), "test") as connection:
        assert connection.execute(query).fetchall() == [{"status": "unknown"}]
    with connect(system.settings, "test") as connection:
        connection.execute(f'drop database "{database}" with (force)'.encode())
