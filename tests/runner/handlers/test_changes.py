"""Table changes go to hourly files, each change once, despite late commits and killed writers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.adopt import adopt
from tests.limits import PATIENCE
from tests.plan import Plan, Row
from tests.runner.handlers.compute_plan import ends, status

PLAN = """
    select headgate.begin_plan('public');
    select headgate.put_store('lake', 'file://{lake}');
    select headgate.put_operation('notes_changes', due => 'run', changes_of => 'public.notes'{by}, store => 'lake',
        artifact_name => 'notes/{{partition}}/{{part}}.parquet', timeout => '1 minute', max_attempts => 1);
    select headgate.put_pipeline('compute');
    select headgate.put_step('compute', 'all', operations => '{{notes_changes}}');
    select headgate.end_plan();
    select headgate.check_plans();
"""


class Notes:
    """A table whose changes are exported, and the files they go to."""

    def __init__(self, plan: Plan, settings: Settings, run: Any, lake: Path) -> None:
        self.plan = plan
        self.settings = settings
        self._run = run
        self.lake = lake
        self.runs = 0

    def start(self) -> str:
        """Start a run; return its name."""
        self.runs += 1
        run_id = f"r{self.runs}"
        self.plan.call("run_pipeline", p_pipeline="compute", p_run_id=run_id)
        return run_id

    async def work(self, run_id: str) -> None:
        """Work until a run has ended."""
        await self._run(run_id)

    async def export(self) -> list[tuple[str, Any, Any]]:
        """Run the export; return operation, id and text from its files."""
        run_id = self.start()
        await self.work(run_id)
        assert status(self.plan, run_id)["status"] == "succeeded", ends(self.plan)
        return [told(x) for x in self.changes(run_id)]

    async def kill_runner(self, point: str) -> None:
        """Start a runner that is killed at a point of its work."""
        environ = {
            **os.environ,
            "HEADGATE_DSN": dsn_of(self.settings),
            "HEADGATE_DATABASE": self.settings.database,
            "TMPDIR": tempfile.gettempdir(),
        }
        killed = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", KILLED, point],
            env=environ,
            timeout=PATIENCE,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL

    def changes(self, run_id: str | None = None) -> list[Row]:
        """Return the changes in the files of a run, or of all."""
        rows = self.plan.sql(
            "select url from headgate.v_artifacts where run_id = coalesce(%(run)s::text, run_id) order by name",
            run=run_id,
        )
        found: list[Row] = []
        for row in rows:
            path = Path(row["url"].removeprefix("file://"))
            table = pyarrow.parquet.read_table(path, partitioning=None)
            found += [{**x, "hour": path.parts[-2]} for x in table.to_pylist()]
        return sorted(found, key=lambda x: x["cdc_id"])


def told(change: Row) -> tuple[str, Any, Any]:
    return change["operation"], change["id"], change["text"]


@pytest.fixture
def notes(plan, core_database, run, tmp_path, monkeypatch):
    """Declare the export of a table's changes."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    plan.sql("create table public.notes (id bigint primary key, text text)")
    adopt(plan.connection)
    plan.connection.execute(PLAN.format(lake=tmp_path / "lake", by="").encode())
    return Notes(plan, core_database, run, tmp_path / "lake")


async def test_each_change_is_in_the_file_of_its_hour_once(notes):
    sql = notes.plan.sql
    notes.plan.freeze_clock("2026-11-29 12:59:59+00")
    sql("insert into public.notes values (1, 'a'), (2, '')")
    notes.plan.freeze_clock("2026-11-29 13:00:00+00")
    sql("update public.notes set text = null where id = 1")
    sql("delete from public.notes where id = 2")

    assert await notes.export() == [
        ("insert", 1, "a"),
        ("insert", 2, ""),
        ("update", 1, None),
        ("delete", 2, ""),
    ]
    assert [x["hour"] for x in notes.changes()] == ["hour=12", "hour=12", "hour=13", "hour=13"]
    assert str(notes.changes()[0]["cdc_timestamp"]) == "2026-11-29 12:59:59+00:00"
    assert await notes.export() == []
    assert len(notes.changes()) == 4


async def test_late_commits_are_neither_missed_nor_exported_early(notes):
    with connect(notes.settings, "test", autocommit=False) as late:
        late.execute("insert into public.notes values (1, 'late')")
        notes.plan.sql("insert into public.notes values (2, 'in time')")
        assert await notes.export() == [("insert", 2, "in time")]
        late.execute("update public.notes set text = 'later' where id = 1")
        late.commit()

    assert await notes.export() == [("insert", 1, "late"), ("update", 1, "later")]


async def test_writes_in_savepoints_are_exported_with_their_transaction(notes):
    with connect(notes.settings, "test", autocommit=False) as late:
        late.execute("savepoint a")
        late.execute("insert into public.notes values (1, 'a')")
        late.execute("release a")
        late.execute("savepoint b")
        late.execute("insert into public.notes values (2, 'b')")
        late.execute("rollback to b")
        assert await notes.export() == []
        late.commit()

    assert await notes.export() == [("insert", 1, "a")]


async def test_rolled_back_changes_are_never_exported(notes):
    with connect(notes.settings, "test", autocommit=False) as gone:
        gone.execute("insert into public.notes values (1, 'gone')")
        gone.rollback()
    notes.plan.sql("insert into public.notes values (1, 'here')")

    assert await notes.export() == [("insert", 1, "here")]


async def test_a_column_that_is_added_is_exported_from_then_on(notes):
    notes.plan.sql("insert into public.notes values (1, 'before')")
    notes.plan.sql("alter table public.notes add price numeric(8, 2)")
    notes.plan.sql("insert into public.notes values (2, 'after', 1.5)")
    await notes.export()

    assert [x["price"] for x in notes.changes()] == [None, pytest.approx(1.5)]


async def test_a_table_that_is_emptied_says_so(notes):
    notes.plan.sql("insert into public.notes values (1, 'a')")
    notes.plan.sql("truncate public.notes")

    assert await notes.export() == [("insert", 1, "a"), ("truncate", None, None)]


async def test_changes_that_come_while_others_are_exported_are_in_one_file_only(notes):
    is_over = asyncio.Event()

    def write() -> int:
        count = 0
        with connect(notes.settings, "test") as writer:
            while not is_over.is_set():
                count += 1
                writer.execute(
                    "insert into public.notes values (%s, 'n') on conflict (id) do update set text = 'm'",
                    (count % 50,),
                )
        return count

    writing = asyncio.create_task(asyncio.to_thread(write))
    for _ in range(3):
        await notes.export()
    is_over.set()
    written = await writing
    await notes.export()

    found = notes.changes()
    assert len(found) == written
    assert len({x["cdc_id"] for x in found}) == written


async def test_a_store_that_cannot_be_written_costs_no_change(notes):
    notes.plan.sql("insert into public.notes values (1, 'a')")
    notes.plan.sql(
        "update headgate.operations set max_wait = '1 second' where changes_of is not null"
    )
    notes.lake.write_text("no folder")
    run_id = notes.start()
    await notes.work(run_id)
    assert status(notes.plan, run_id)["status"] == "failed"
    notes.lake.unlink()

    assert await notes.export() == [("insert", 1, "a")]


async def test_a_handler_that_does_not_read_all_completes_nothing(notes):
    notes.plan.sql("insert into public.notes values (1, 'a')")
    notes.plan.sql(
        "update headgate.operations set handler = 'tests.runner.handlers.samples:returns_nothing'"
        " where changes_of is not null"
    )
    run_id = notes.start()
    await notes.work(run_id)

    assert status(notes.plan, run_id)["status"] == "failed"
    assert notes.plan.scalar("select count(*) from headgate_changes.notes_changes") == 1


KILLED = """
import asyncio, os, signal, sys
from headgate.settings import Settings
from headgate.worker import handler_executor, queue, stores, streams, work

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

blocks, put, complete = streams.blocks, stores.put, queue.Queue.complete

def read_and_die(*what, **more):
    yield from blocks(*what, **more)
    die()

async def put_and_die(*file):
    await put(*file)
    die()

async def complete_and_die(*report, **more):
    await complete(*report, **more)
    die()

match sys.argv[1]:
    case "claimed":
        streams.make_pipe = die
    case "read":
        streams.blocks = read_and_die
    case "written":
        handler_executor.put_files = die
    case "put":
        stores.put = put_and_die
    case "completed":
        queue.Queue.complete = complete_and_die

asyncio.run(work(Settings.from_env(os.environ), processes=1))
"""


@pytest.mark.parametrize("point", ["claimed", "read", "written", "put", "completed"])
async def test_a_runner_that_is_killed_costs_no_change_and_exports_none_twice(notes, point):
    notes.plan.sql(
        "update headgate.operations set lease = '2 seconds' where changes_of is not null"
    )
    with connect(notes.settings, "test", autocommit=False) as late:
        late.execute("insert into public.notes values (1, 'late')")
        notes.plan.sql("insert into public.notes values (2, 'a'), (3, 'a')")
        run_id = notes.start()
        await notes.kill_runner(point)
        notes.plan.sql("delete from public.notes where id = 3")
        late.commit()
    await notes.work(run_id)
    await notes.export()

    assert sorted(told(x) for x in notes.changes()) == [
        ("delete", 3, "a"),
        ("insert", 1, "late"),
        ("insert", 2, "a"),
        ("insert", 3, "a"),
    ]
