"""Table changes go to hourly files, each change once, despite late commits and killed writers."""

from __future__ import annotations

import asyncio
import tempfile

import pytest

from headgate.database import connect
from headgate.worker import streams
from tests.adopt import adopt
from tests.runner.handlers.compute_plan import status
from tests.runner.handlers.notes_table import ALL_ONCE, PLAN, Notes


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


async def test_a_job_leaves_what_is_beyond_its_limit_to_the_next_ones(notes, monkeypatch):
    monkeypatch.setattr(streams, "MOST", 3)
    with connect(notes.settings, "test", autocommit=False) as late:
        late.execute("insert into public.notes values (1, 'early')")
        notes.plan.sql("insert into public.notes values (2, 'a'), (3, 'a')")
        notes.plan.sql("insert into public.notes values (4, 'a')")
        notes.plan.sql("insert into public.notes select n, 'b' from generate_series(5, 9) as n")
        late.execute("update public.notes set text = 'late' where id = 4")
        late.commit()

    assert await notes.export() == [("insert", 2, "a"), ("insert", 3, "a"), ("insert", 4, "a")]
    assert await notes.export() == [("insert", n, "b") for n in range(5, 10)]
    assert await notes.export() == [("insert", 1, "early"), ("update", 4, "late")]
    assert await notes.export() == []


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


@pytest.mark.parametrize("point", ["claimed", "read", "written", "put", "completed"])
async def test_a_runner_that_is_killed_costs_no_change_and_exports_none_twice(notes, point):
    assert await notes.export_with_a_kill(point) == ALL_ONCE
