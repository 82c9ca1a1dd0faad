"""A table's changes are logged for an operation as long as it declares `changes_of`."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.db.declare.conftest import PIPELINE, STEP, Shelf
from tests.db.maintenance.test_examine import wrong
from tests.db.toy import Toy

STORE = "put_store('lake', 'file:///var/lib/lake')"
OPERATION = "put_operation('dust', due => 'run'{more})"
KEPT = ", store => 'lake', artifact_name => 'grains/{partition}/{part}.parquet'"
LOGGED = OPERATION.format(more=KEPT + ", changes_of => 'toy.grains'")
PLAN = (STORE, LOGGED, PIPELINE, STEP)
LOG = "select to_regclass('headgate_changes.dust')::text"
TRIGGERS = (
    "select count(*) from pg_trigger"
    " where tgname like 'log\\_%%' and tgrelid::regclass::text like 'toy.%%' and not tgisinternal"
)


@pytest.fixture
def shelf(toy: Toy) -> Shelf:
    """Declare the operation."""
    shelf = Shelf(toy)
    toy.sql("create table toy.grains (n integer primary key, size numeric)")
    toy.sql("alter table toy.grains owner to headgate_plan_toy")
    toy.sql("grant headgate_plan_toy to headgate_owner")
    shelf.put(*PLAN)
    assert toy.scalar(LOG) == "headgate_changes.dust"
    assert toy.scalar(TRIGGERS) == 4
    return shelf


def logged(toy: Toy) -> list[tuple[str, Any]]:
    """Return the logged changes and delete them."""
    rows = toy.sql(
        "with gone as (delete from headgate_changes.dust as c returning c.*)"
        " select g.operation, g.content -> 'n' as n from gone as g order by g.cdc_id"
    )
    return [(x["operation"], x["n"]) for x in rows]


def test_the_doctor_finds_nothing_about_what_was_declared(shelf: Shelf):
    shelf.toy.sql("select headgate.note_schema()")

    assert "changes of dust" not in wrong(shelf.toy)


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("insert into toy.grains values (4), (5)", [("insert", 4), ("insert", 5)]),
        ("update toy.grains set size = 1 where n > 1", [("update", 2), ("update", 3)]),
        ("update toy.grains set n = 9 where n = 2", [("delete", 2), ("insert", 9)]),
        ("update toy.grains set n = n + 1", [("delete", 1), ("update", 2), ("update", 3), ("insert", 4)]),
        ("delete from toy.grains where n < 3", [("delete", 1), ("delete", 2)]),
        ("delete from toy.grains where n > 3", []),
        ("truncate toy.grains", [("truncate", None)]),
        (
            "merge into toy.grains as g using (values (1), (7)) as v (n) on v.n = g.n"
            " when matched then delete when not matched then insert values (v.n)",
            [("delete", 1), ("insert", 7)],
        ),
    ],
)  # fmt: skip
def test_each_change_is_logged_once(shelf: Shelf, statement: str, changes: list[tuple[str, Any]]):
    toy = shelf.toy
    toy.sql("insert into toy.grains values (1), (2), (3)")
    toy.sql("alter table toy.grains drop constraint grains_pkey")
    toy.sql("alter table toy.grains add constraint grains_pkey primary key (n) deferrable")
    logged(toy)
    toy.connection.execute(statement.encode())

    assert sorted(logged(toy), key=str) == sorted(changes, key=str)


def test_an_upsert_is_an_insert_or_an_update(shelf: Shelf):
    toy = shelf.toy
    toy.sql("insert into toy.grains values (3)")
    toy.sql("insert into toy.grains values (3), (4) on conflict (n) do update set size = 2")

    assert sorted(logged(toy)) == [("insert", 3), ("insert", 4), ("update", 3)]


def test_writes_rolled_back_to_a_savepoint_are_not_logged(shelf: Shelf):
    toy = shelf.toy
    toy.sql("insert into toy.grains values (1)")
    with pytest.raises(psycopg.Error), toy.connection.transaction():
        toy.sql("insert into toy.grains values (2)")
        toy.sql("select 1 / 0")
    with toy.connection.transaction():
        toy.sql("insert into toy.grains values (3)")

    assert logged(toy) == [("insert", 1), ("insert", 3)]


def test_writes_of_a_subscription_are_logged(shelf: Shelf):
    shelf.toy.sql("set local session_replication_role = replica")
    shelf.toy.sql("insert into toy.grains values (1)")

    assert logged(shelf.toy) == [("insert", 1)]


def test_writers_need_no_rights_on_the_log(shelf: Shelf):
    toy = shelf.toy
    toy.sql("grant usage on schema toy to headgate_nobody")
    toy.sql("grant insert on toy.grains to headgate_nobody")
    toy.sql("set local role headgate_nobody")
    toy.sql("insert into toy.grains values (1)")
    toy.sql("reset role")

    assert logged(toy) == [("insert", 1)]


def test_an_operation_that_no_longer_says_so_logs_nothing(shelf: Shelf):
    shelf.put(STORE, OPERATION.format(more=", handler => 'export'" + KEPT), PIPELINE, STEP)

    assert shelf.toy.scalar(LOG) is None
    assert shelf.toy.scalar(TRIGGERS) == 0
    shelf.toy.sql("insert into toy.grains values (1)")


def test_a_retired_operation_logs_nothing(shelf: Shelf):
    shelf.put(*(x.replace("dust", "dust_again") for x in PLAN))

    assert shelf.toy.scalar(LOG) is None
    assert shelf.toy.scalar(TRIGGERS) == 4


def test_another_table_takes_its_place(shelf: Shelf):
    shelf.toy.sql("create table toy.stones (n integer primary key)")
    shelf.put(*(x.replace("toy.grains", "toy.stones") for x in PLAN))
    shelf.toy.sql("insert into toy.grains values (1)")
    shelf.toy.sql("insert into toy.stones values (2)")

    assert logged(shelf.toy) == [("insert", 2)]


def test_an_existing_log_keeps_its_changes(shelf: Shelf):
    toy = shelf.toy
    toy.sql("insert into toy.grains values (1)")
    assert shelf.put(*PLAN)[1] == "unchanged"

    assert logged(toy) == [("insert", 1)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("'toy.nothing'" + KEPT, "there is no table 'toy.nothing'"),
        ("'toy.keyless'" + KEPT, "toy.keyless has no primary key"),
        ("'toy.parted'" + KEPT, "toy.parted is not a plain table"),
        ("'toy.operated'" + KEPT, "toy.operated has a column operation"),
        ("'toy.grains'" + KEPT.replace("{part}", "all"), "its artifact_name would be that of two files"),
        ("'toy.grains'", "its artifact_name would be that of two files"),
        ("'toy.grains', universe => 'tomes'" + KEPT, "of one table, not of a universe"),
    ],
)  # fmt: skip
def test_a_declaration_that_cannot_be_met_is_refused(shelf: Shelf, more: str, said: str):
    toy = shelf.toy
    toy.sql("create table toy.keyless (n integer)")
    toy.sql("create table toy.parted (n integer primary key) partition by list (n)")
    toy.sql("create table toy.operated (n integer primary key, operation text)")

    wanted = OPERATION.format(more=", changes_of => " + more)
    assert said in shelf.mistakes(STORE, wanted, PIPELINE, STEP)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("drop table headgate_changes.dust", "its log is missing"),
        ("drop trigger log_delete_dust on toy.grains", "toy.grains has not all of its triggers"),
        ("alter table toy.grains disable trigger log_update_dust", "toy.grains has not all of its triggers"),
        (
            "alter table toy.grains drop constraint grains_pkey, alter size set not null, add primary key (n, size)",
            "the triggers of toy.grains are for another key",
        ),
    ],
)  # fmt: skip
def test_the_doctor_finds_what_logs_nothing_and_repairs_it(shelf: Shelf, change: str, found: str):
    toy = shelf.toy
    toy.connection.execute(change.encode())
    toy.sql("select headgate.note_schema()")
    assert wrong(toy)["changes of dust"]["found"].startswith(found)

    done = {x["subject"]: x["done"] for x in toy.call("repair")}
    assert done["changes"] == "1 logs of changes put right"
    assert "changes of dust" not in wrong(toy)
    toy.sql("insert into toy.grains values (1, 1)")
    assert logged(toy) == [("insert", 1)]


def test_rows_from_another_server_are_found_and_become_ours(shelf: Shelf):
    toy = shelf.toy
    toy.sql("insert into toy.grains values (1)")
    toy.sql("update headgate_changes.dust set xid = '9000000000000000000'")
    assert "another server" in wrong(toy)["changes of dust"]["found"]

    toy.call("repair")
    assert "changes of dust" not in wrong(toy)
    assert logged(toy) == [("insert", 1)]
