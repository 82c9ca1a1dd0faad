"""A table whose changes are exported, for tests of both ways to read them."""

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

from headgate.database import connect, dsn_of
from headgate.settings import Settings
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
ALL_ONCE = [("delete", 3, "a"), ("insert", 1, "late"), ("insert", 2, "a"), ("insert", 3, "a")]
"""The changes of Notes.export_with_a_kill, each once."""


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

    async def export_with_a_kill(self, point: str) -> list[tuple[str, Any, Any]]:
        """Kill a runner at a point of its export while rows change; return all changes in the files."""
        self.plan.sql(
            "update headgate.operations set lease = '2 seconds' where changes_of is not null"
        )
        with connect(self.settings, "test", autocommit=False) as late:
            late.execute("insert into public.notes values (1, 'late')")
            self.plan.sql("insert into public.notes values (2, 'a'), (3, 'a')")
            run_id = self.start()
            await self.kill_runner(point)
            self.plan.sql("delete from public.notes where id = 3")
            late.commit()
        await self.work(run_id)
        await self.export()
        return sorted(told(x) for x in self.changes())

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
