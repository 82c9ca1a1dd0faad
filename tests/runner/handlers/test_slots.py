"""Changes that are read from a replication slot: each once, in the order of commits, whatever happens to the slot."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from dataclasses import replace

import pytest
from psycopg import sql

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from headgate.worker import streams
from tests.adopt import adopt
from tests.limits import wait_until
from tests.runner.handlers.compute_plan import ends, status
from tests.runner.handlers.notes_table import ALL_ONCE, PLAN, Notes

LONG = "z" * 50_000
"""Stored outside of its row."""


def headgate(settings: Settings, *arguments: str) -> str:
    """Run a command that succeeds; return what it says."""
    known = {"HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)}
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        env={**os.environ, **known}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def notes(plan, core_database, run, tmp_path, monkeypatch):
    """Declare the export of a table's changes by a slot, and create the slot."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    plan.sql("alter role headgate_owner replication")
    plan.connection.execute(
        sql.SQL("grant create on database {} to headgate_owner").format(
            sql.Identifier(core_database.database)
        )
    )
    plan.sql("create table public.notes (id bigint primary key, text text)")
    plan.sql("alter table public.notes alter text set storage external")
    plan.sql("alter table public.notes replica identity full")
    adopt(plan.connection)
    declared = PLAN.format(lake=tmp_path / "lake", by=", changes_by => 'slot'")
    plan.connection.execute(declared.encode())
    notes = Notes(plan, core_database, run, tmp_path / "lake")
    assert [x["done"] for x in plan.sql("select * from headgate.keep_slots()")] == ["created"]
    return notes


async def test_each_change_is_exported_once_as_it_was_committed(notes):
    notes.plan.sql("insert into public.notes values (1, 'a, \"b\"'), (2, ''), (3, null)")
    notes.plan.sql("insert into public.notes values (4, %(long)s)", long=LONG)
    with connect(notes.settings, "test", autocommit=False) as late:
        late.execute("insert into public.notes values (5, 'late')")
        late.execute("savepoint a")
        late.execute("insert into public.notes values (6, 'gone')")
        late.execute("rollback to a")
        notes.plan.sql("update public.notes set text = 'c' where id = 1")
        assert await notes.export() == [
            ("insert", 1, 'a, "b"'),
            ("insert", 2, ""),
            ("insert", 3, None),
            ("insert", 4, LONG),
            ("update", 1, "c"),
        ]
        assert await notes.export() == []
        late.execute("delete from public.notes where id = 5")
        notes.plan.sql("update public.notes set id = 40 where id = 4")
        late.commit()
    notes.plan.sql("alter table public.notes add price numeric(8, 2), drop text")
    notes.plan.sql("insert into public.notes values (7, 1.5)")
    notes.plan.sql("truncate public.notes")
    run_id = notes.start()
    await notes.work(run_id)

    rows = notes.changes(run_id)
    assert [(x["operation"], x["id"], x["price"]) for x in rows] == [
        ("insert", 5, None),
        ("delete", 5, None),
        ("delete", 4, None),
        ("insert", 40, None),
        ("insert", 7, pytest.approx(1.5)),
        ("truncate", None, None),
    ]
    assert {x["cdc_timestamp"].hour for x in rows} == {int(x["hour"][-2:]) for x in rows}
    numbers = [x["cdc_id"] for x in notes.changes()]
    assert len(set(numbers)) == len(numbers) == 11


async def test_a_job_leaves_what_is_beyond_its_limit_to_the_next_ones(notes, monkeypatch):
    monkeypatch.setattr(streams, "MOST", 6)
    written = [[("insert", 10 * n + i, "a") for i in range(n)] for n in range(1, 6)]
    for rows in written:
        numbers = [number for _, number, _ in rows]
        notes.plan.sql(
            "insert into public.notes select n, 'a' from unnest(%(n)s::bigint[]) as n", n=numbers
        )

    exported = [await notes.export() for _ in range(5)]
    assert exported == [written[0] + written[1], *written[2:], []]


async def test_a_large_value_that_an_update_leaves_is_in_its_file(notes):
    notes.plan.sql("insert into public.notes values (1, %(long)s)", long=LONG)
    await notes.export()
    notes.plan.sql("alter table public.notes add n integer")
    notes.plan.sql("update public.notes set n = 1")

    assert await notes.export() == [("update", 1, LONG)]


@pytest.mark.parametrize("point", ["read", "put", "completed"])
async def test_a_runner_that_is_killed_costs_no_change_and_exports_none_twice(notes, point):
    assert await notes.export_with_a_kill(point) == ALL_ONCE


def drop(notes: Notes, slot: str) -> None:
    """Drop a slot, as somebody may."""
    notes.plan.sql("select pg_drop_replication_slot(%(slot)s)", slot=slot)


def outgrow(notes: Notes, slot: str) -> None:
    """Have the server keep less of its log than a slot needs."""

    def is_lost() -> bool:
        notes.plan.sql("select pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()")
        notes.plan.sql("checkpoint")
        status = "select wal_status from pg_replication_slots where slot_name = %(slot)s"
        return bool(notes.plan.scalar(status, slot=slot) == "lost")

    notes.plan.sql("alter system set max_slot_wal_keep_size = '1MB'")
    try:
        notes.plan.sql("select pg_reload_conf()")
        wait_until(is_lost, "a slot that is lost")
    finally:
        notes.plan.sql("alter system reset max_slot_wal_keep_size")
        notes.plan.sql("select pg_reload_conf()")


@pytest.mark.parametrize(
    ("lose", "said", "done"),
    [
        (drop, "is gone", ["created"]),
        (outgrow, "was more than max_slot_wal_keep_size behind", ["dropped", "created"]),
    ],
)
async def test_a_slot_that_is_lost_fails_runs_until_it_is_made_again(notes, lose, said, done):
    slot = notes.plan.scalar("select slot from headgate.v_changes")
    notes.plan.sql("insert into public.notes values (1, 'lost')")
    lose(notes, slot)
    run_id = notes.start()
    await notes.work(run_id)
    assert status(notes.plan, run_id)["status"] == "failed"
    end = ends(notes.plan)["notes_changes"]
    assert f"its slot {slot} {said}: changes since" in str(end)
    assert "headgate doctor --fix" in str(end)

    notes.plan.call("repair")
    assert [x["done"] for x in notes.plan.sql("select * from headgate.keep_slots()")] == done
    notes.plan.sql("insert into public.notes values (2, 'kept')")
    assert await notes.export() == [("insert", 2, "kept")]


async def test_a_restored_database_has_a_slot_of_its_own_and_is_told_what_it_lacks(
    notes, clone_for_test, core_template, tmp_path
):
    notes.plan.sql("grant headgate_plan_public to headgate_owner")
    notes.plan.sql("insert into public.notes values (1, 'exported')")
    await notes.export()
    notes.plan.sql("insert into public.notes values (2, 'waited')")
    restored = replace(clone_for_test(None), db=core_template.db)  # restore migrates it
    name = sql.Identifier(restored.database)
    notes.plan.connection.execute(sql.SQL("drop database {}").format(name))
    headgate(notes.settings, "backup", str(tmp_path / "backup"))
    said = headgate(restored, "restore", str(tmp_path / "backup"))
    assert "is created: what changed between the backup's last export and now is in its" in said

    with connect(restored, "test") as connection:
        connection.execute("insert into public.notes values (3, 'since')")
        headgate(restored, "run", "compute")
        rows = "select rows from headgate.v_artifacts order by artifact_id"
        assert [x["rows"] for x in connection.execute(rows)] == [1, 1]
    assert await notes.export() == [("insert", 2, "waited")]


async def test_a_slot_that_is_not_there_yet_is_created_by_the_first_run_which_says_so(
    notes, caplog
):
    notes.plan.sql("update headgate.change_slots set position = null")
    notes.plan.sql("insert into public.notes values (1, 'before')")
    with caplog.at_level(logging.WARNING):
        assert await notes.export() == []
    assert "operation notes_changes exports what changes from now on" in caplog.text

    notes.plan.sql("insert into public.notes values (2, 'after')")
    assert await notes.export() == [("insert", 2, "after")]
