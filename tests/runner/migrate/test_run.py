"""`migrate` with a small folder of SQL, on a real server."""

from __future__ import annotations

import gzip
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pgmq.install import get_embedded_install_sql

from headgate.database import connect
from headgate.embedded.server import Server
from headgate.errors import (
    DatabaseNewer,
    MigrateError,
    MigrationEdited,
    MigrationFailed,
    MigrationNumbering,
    NotMigrated,
    ServerTooOld,
    WrongPlan,
)
from headgate.migrate.pgmq import install_pgmq
from headgate.migrate.run import migrate, require_migrated
from headgate.migrate.setup import require_version
from headgate.settings import Settings
from tests.limits import PATIENCE
from tests.servers import DB, embedded_server, scratch_folder

ROLES = """\
-- role: migrator
do $$
begin
    if not exists (select from pg_roles where rolname = 'headgate_owner') then
        create role headgate_owner;
    end if;
end;
$$;
create schema if not exists headgate authorization headgate_owner;
"""


LIMITS = """\
do $$
begin
    if not pg_has_role('headgate_owner', 'pg_read_all_stats', 'member') then
        grant pg_read_all_stats to headgate_owner;
    end if;
    alter role headgate_owner set lock_timeout = '1min';
exception
    when internal_error then null;
end;
$$;
"""
BLOCKED = """
select 1 from pg_stat_activity
where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0
"""


class Folder:
    """A small db/ and the database it is applied to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.write("migrations/0001_roles.sql", ROLES)
        self.write("migrations/0002_apples.sql", "create table headgate.apples (name text);")

    def write(self, path: str, text: str) -> None:
        target = self.settings.db / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(dedent(text))

    def remove(self, path: str) -> None:
        (self.settings.db / path).unlink()

    def migrate(self, **options: Any) -> list[str]:
        return migrate(self.settings, **options).files

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.settings, "test") as connection:
            cursor = connection.execute(query)
            return [tuple(row.values()) for row in cursor] if cursor.description else []


@pytest.fixture(scope="module")
def with_pgmq(clone: Callable[[Settings | None], Settings]) -> Settings:
    settings = clone(None)
    with connect(settings, "test") as connection:
        install_pgmq(connection)
    return settings


@pytest.fixture
def folder(
    clone: Callable[[Settings | None], Settings], with_pgmq: Settings, tmp_path: Path
) -> Folder:
    return Folder(replace(clone(with_pgmq), db=tmp_path / "db"))


def wait_for(settings: Settings, query: str) -> None:
    """Wait until a query has a row."""
    deadline = time.monotonic() + PATIENCE
    with connect(settings, "test") as connection:
        while connection.execute(query.encode()).fetchone() is None:
            assert time.monotonic() < deadline, f"never: {query}"
            time.sleep(0.01)


def test_migrate_applies_everything_once_and_then_nothing(folder):
    folder.write(
        "functions/fruit/count.sql", "create or replace function headgate.c() returns int return 1;"
    )

    assert folder.migrate() == [
        "migrations/0001_roles.sql",
        "migrations/0002_apples.sql",
        "functions/fruit/count.sql",
    ]
    assert folder.migrate() == []


def test_a_dry_run_lists_what_is_pending_and_does_nothing(folder):
    assert folder.migrate(dry_run=True) == [
        "migrations/0001_roles.sql",
        "migrations/0002_apples.sql",
    ]
    assert folder.sql("select to_regclass('headgate.schema_files')") == [(None,)]


def test_migrate_creates_the_database_but_not_in_a_dry_run(folder):
    elsewhere = folder.settings.with_database(folder.settings.database + "_new")

    assert len(migrate(elsewhere, dry_run=True).files) == 2
    assert folder.sql("select 1 from pg_database where datname like '%\\_new'") == []
    assert len(migrate(elsewhere).files) == 2

    folder.sql(f'drop database "{elsewhere.database}"')


def test_an_edited_migration_is_refused_by_name(folder):
    folder.migrate()
    folder.write("migrations/0002_apples.sql", "create table headgate.pears ();")

    with pytest.raises(MigrationEdited, match=r"migrations/0002_apples\.sql was edited"):
        folder.migrate()


def test_a_gap_in_the_numbers_is_refused(folder):
    folder.write("migrations/0004_pears.sql", "select 1;")

    with pytest.raises(MigrationNumbering, match=r"0004_pears\.sql: .* before 0003 exists"):
        folder.migrate()


def test_a_number_used_twice_is_refused(folder):
    folder.write("migrations/0002_pears.sql", "select 1;")

    with pytest.raises(MigrationNumbering, match=r"0002_pears\.sql: number 0002 is used twice"):
        folder.migrate()


def test_a_file_without_a_number_is_refused(folder):
    folder.write("migrations/pears.sql", "select 1;")

    with pytest.raises(MigrationNumbering, match=r"pears\.sql: not named like"):
        folder.migrate()


def test_a_migration_that_comes_late_is_refused(folder):
    folder.write("migrations/0003_pears.sql", "select 1;")
    folder.migrate()
    folder.sql("delete from headgate.schema_files where path like '%0002%'")

    with pytest.raises(MigrationNumbering, match=r"0002_apples\.sql is new, but .*0003_pears\.sql"):
        folder.migrate()


def test_a_database_made_by_other_migrations_is_refused_and_stays_as_it_is(folder):
    folder.migrate()
    folder.remove("migrations/0002_apples.sql")
    folder.write("migrations/0002_pears.sql", "create table headgate.pears ();")

    said = r"0002_pears\.sql stands where migrations/0002_apples\.sql was applied"
    with pytest.raises(MigrationNumbering, match=said) as caught:
        folder.migrate()
    assert "HEADGATE_DATABASE" in (caught.value.hint or "")
    assert folder.sql("select to_regclass('headgate.pears')") == [(None,)]


def test_an_edited_function_is_applied_alone(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    folder.write("functions/b.sql", "create or replace function headgate.b() returns int return 1;")
    folder.migrate()
    folder.write("functions/b.sql", "create or replace function headgate.b() returns int return 2;")

    assert folder.migrate() == ["functions/b.sql"]
    assert folder.sql("select headgate.a(), headgate.b()") == [(1, 2)]


def test_functions_may_use_what_comes_after_them(folder):
    folder.write(
        "functions/a.sql",
        """
        create or replace function headgate.a() returns int language sql
        as $$ select headgate.b() $$;
        """,
    )
    folder.write("functions/b.sql", "create or replace function headgate.b() returns int return 2;")
    folder.migrate()

    assert folder.sql("select headgate.a()") == [(2,)]


def test_a_view_that_lost_a_column_is_rebuilt_with_its_dependants_and_grants(folder):
    view = (
        "drop view if exists headgate.v_{0} cascade;\ncreate view headgate.v_{0} as select {1};\n"
    )
    folder.write("views/010_v_apples.sql", view.format("apples", "1 as a, 2 as b"))
    folder.write("views/020_v_pears.sql", view.format("pears", "a from headgate.v_apples"))
    folder.write("grants/all.sql", "grant select on headgate.v_pears to public;")
    folder.migrate()
    folder.write("views/010_v_apples.sql", view.format("apples", "1 as a"))

    assert folder.migrate() == ["views/010_v_apples.sql", "views/020_v_pears.sql", "grants/all.sql"]
    assert folder.sql("select * from headgate.v_pears") == [(1,)]
    assert folder.sql("select has_table_privilege('pg_monitor', 'headgate.v_pears', 'select')") == [
        (True,)
    ]


def test_views_come_back_after_a_migration_that_dropped_them_along(folder):
    folder.write(
        "views/010_v_apples.sql",
        "drop view if exists headgate.v_apples cascade;\n"
        "create view headgate.v_apples as select * from headgate.apples;",
    )
    folder.migrate()
    folder.write(
        "migrations/0003_apples.sql",
        "drop table headgate.apples cascade; create table headgate.apples (name text, size int);",
    )

    assert folder.migrate() == ["migrations/0003_apples.sql", "views/010_v_apples.sql"]
    assert folder.sql("select name, size from headgate.v_apples") == []


def test_grants_follow_a_function(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    folder.write("grants/all.sql", "grant usage on schema headgate to public;")
    folder.migrate()
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 2;")

    assert folder.migrate() == ["functions/a.sql", "grants/all.sql"]


def test_an_error_names_file_and_line_and_undoes_the_whole_run(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    folder.write(
        "grants/all.sql", "select 1;\n\n-- a comment; with a semicolon\nselect 'x;y',\n    oops;"
    )

    with pytest.raises(
        MigrationFailed, match=r'^db/grants/all\.sql:5: column "oops" does not exist'
    ):
        folder.migrate()
    assert folder.sql("select to_regclass('headgate.apples')") == [(None,)]


def test_an_error_without_a_position_names_the_line_of_its_statement(folder):
    folder.write(
        "migrations/0003_more.sql",
        "create table headgate.pears (size int check (size > 0));\n\n"
        "insert into headgate.pears\nvalues (0);",
    )

    with pytest.raises(
        MigrationFailed, match=r"0003_more\.sql:3: .* violates check constraint"
    ) as error:
        folder.migrate()
    assert "Failing row contains (0)" in str(error.value)


def test_a_function_with_other_arguments_or_another_result_replaces_the_old_one(folder):
    old = "create or replace function headgate.a(x int) returns int return x;"
    folder.write("functions/a.sql", old)
    folder.write("functions/b.sql", "create or replace function headgate.b() returns int return 1;")
    folder.migrate()
    folder.write(
        "functions/a.sql",
        "create or replace function headgate.a(x int, y int) returns int return x + y;\n"
        "create or replace function headgate.a(x text) returns text return x;\n",
    )
    folder.migrate()
    functions = "select p.oid::regprocedure::text from pg_proc as p where pronamespace = 'headgate'::regnamespace order by 1"
    assert folder.sql(functions) == [
        ("headgate.a(integer,integer)",),
        ("headgate.a(text)",),
        ("headgate.b()",),
    ]

    folder.write("functions/a.sql", old.replace("returns int", "returns text"))
    folder.migrate()
    assert folder.sql("select headgate.a(1)") == [("1",)]


def test_a_comment_may_name_a_function_without_its_arguments_also_when_they_change(folder):
    function = "create or replace function headgate.a({}) returns int return 1;\n"
    comment = "comment on function headgate.a is 'One.';\n"
    for arguments in ("", "x int default 1"):
        folder.write("functions/a.sql", function.format(arguments) + comment)
        folder.migrate()

    assert folder.sql("select obj_description('headgate.a(int)'::regprocedure)") == [("One.",)]


def test_a_name_that_two_files_define_keeps_its_overloads(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    other = "create or replace function headgate.a(x int) returns int return {};"
    folder.write("functions/b.sql", other.format("x"))
    folder.migrate()
    folder.write("functions/b.sql", other.format("2 * x"))
    folder.migrate()

    assert folder.sql("select headgate.a() as one, headgate.a(3) as two") == [(1, 6)]


def test_a_function_that_a_table_uses_is_not_dropped(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    folder.migrate()
    folder.write(
        "migrations/0003_pears.sql", "create table headgate.pears (n int default headgate.a());"
    )
    folder.migrate()
    folder.write(
        "functions/a.sql", "create or replace function headgate.a() returns text return 1;"
    )

    with pytest.raises(MigrationFailed, match=r"functions/a\.sql:1: cannot drop function") as error:
        folder.migrate()
    assert error.value.hint == "a migration must drop what uses it first"
    assert folder.sql("select headgate.a()") == [(1,)]


def test_a_file_that_commits_is_refused(folder):
    folder.write("migrations/0003_more.sql", "create table headgate.pears ();\ncommit;")

    with pytest.raises(MigrationFailed, match=r"0003_more\.sql begins or ends a transaction"):
        folder.migrate()


def test_a_file_that_cannot_share_a_transaction_runs_alone(folder):
    folder.write(
        "migrations/0003_index.sql",
        """\
        -- transactional: false
        drop index concurrently if exists headgate.apples_idx;
        create index concurrently apples_idx on headgate.apples (name);
        """,
    )
    folder.write("migrations/0004_pears.sql", "create table headgate.pears ();")

    assert len(folder.migrate()) == 4
    assert folder.migrate() == []
    assert folder.sql("select to_regclass('headgate.apples_idx') is not null") == [(True,)]


def test_a_run_that_fails_after_such_a_file_continues_there(folder):
    folder.write("migrations/0003_vacuum.sql", "-- transactional: false\nvacuum headgate.apples;")
    folder.write("migrations/0004_pears.sql", "oops;")

    with pytest.raises(MigrationFailed, match=r"0004_pears\.sql:1"):
        folder.migrate()
    folder.write("migrations/0004_pears.sql", "create table headgate.pears ();")
    assert folder.migrate() == ["migrations/0004_pears.sql"]


def test_of_two_at_once_one_applies_and_the_other_finds_nothing(folder):
    folder.write("migrations/0003_slow.sql", "select pg_sleep(0.3);")
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(len(folder.migrate()))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(found) == [0, 3]


def test_migrate_does_not_wait_long_for_a_table_that_somebody_holds(folder):
    folder.migrate()
    folder.write("migrations/0003_more.sql", "alter table headgate.apples add column size int;")
    impatient = replace(folder.settings, lock_timeout="50ms")
    with connect(folder.settings, "test", autocommit=False) as holder:
        holder.execute("lock table headgate.apples")
        with pytest.raises(MigrationFailed, match="lock timeout") as error:
            migrate(impatient)
        holder.rollback()

    assert "HEADGATE_LOCK_TIMEOUT" in (error.value.hint or "")


def test_migrate_says_what_the_server_says(folder, caplog):
    folder.write("migrations/0003_talk.sql", "do $$ begin raise notice 'apples are red'; end $$;")
    with caplog.at_level(logging.INFO, logger="headgate"):
        folder.migrate()

    assert "apples are red" in caplog.messages
    assert "applied db/migrations/0003_talk.sql" in caplog.messages


@pytest.mark.parametrize("is_dry", [False, True])
def test_an_older_version_changes_nothing_in_a_database_that_a_newer_one_has_migrated(
    folder, is_dry: bool
):
    folder.migrate()
    folder.remove("migrations/0002_apples.sql")
    folder.write("functions/a.sql", "create function headgate.a() returns int return 1;")

    with pytest.raises(DatabaseNewer, match=r"^migrations/0002_apples\.sql was applied") as caught:
        migrate(folder.settings, dry_run=is_dry)
    assert "backup" in (caught.value.hint or "")


def test_a_function_that_is_gone_is_reported_until_a_migration_drops_it(folder):
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")
    folder.migrate()
    folder.remove("functions/a.sql")

    for _ in range(2):
        assert migrate(folder.settings).gone == ["functions/a.sql"]
    folder.write("migrations/0003_drop.sql", "drop function headgate.a();")
    assert migrate(folder.settings).gone == ["functions/a.sql"]
    assert migrate(folder.settings).gone == []


def test_a_function_file_may_move(folder):
    text = "create or replace function headgate.a() returns int return 1;"
    folder.write("functions/x/a.sql", text)
    folder.migrate()
    folder.remove("functions/x/a.sql")
    folder.write("functions/y/a.sql", text)

    report = migrate(folder.settings)

    assert (report.files, report.gone) == (["functions/y/a.sql"], [])


def test_a_file_of_helpers_may_be_split(folder):
    helper = "create or replace function headgate.{0}() returns int return 1;"
    folder.write("functions/x/_both.sql", helper.format("_a") + "\n" + helper.format("_b"))
    folder.migrate()
    folder.remove("functions/x/_both.sql")
    for name in ("_a", "_b"):
        folder.write(f"functions/x/{name}.sql", helper.format(name))

    report = migrate(folder.settings)

    assert (report.files, report.gone) == (["functions/x/_a.sql", "functions/x/_b.sql"], [])
    assert folder.sql("select headgate._a() + headgate._b()") == [(2,)]
    assert folder.sql("select path from headgate.schema_files where path like '%both%'") == []


def test_a_helper_may_move_into_the_file_of_another_function(folder):
    a, b = (f"create or replace function headgate.{x}() returns int return 1;" for x in ("_a", "b"))
    folder.write("functions/x/_a.sql", a)
    folder.migrate()
    folder.remove("functions/x/_a.sql")
    folder.write("functions/x/b.sql", f"{b}\n{a}")

    report = migrate(folder.settings)

    assert (report.files, report.gone) == (["functions/x/b.sql"], [])
    assert folder.sql("select path from headgate.schema_files where path like '%\\_a.sql'") == []


def test_core_files_belong_to_the_owner_and_a_plans_files_to_its_role(folder):
    folder.write("plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls (size int);")
    folder.write(
        "plans/fruit/functions/b.sql", "create or replace function fruit.b() returns int return 1;"
    )
    folder.write(
        "plans/fruit/plan.sql", "insert into headgate.apples select 'red' from fruit.bowls;"
    )
    folder.migrate()

    assert folder.sql(
        "select relname::text, relowner::regrole::text from pg_class"
        " where relname in ('apples', 'bowls', 'schema_files') order by 1"
    ) == [
        ("apples", "headgate_owner"),
        ("bowls", "headgate_plan_fruit"),
        ("schema_files", "headgate_owner"),
    ]
    assert folder.sql("select proowner::regrole::text from pg_proc where proname = 'b'") == [
        ("headgate_plan_fruit",)
    ]


def test_a_plans_data_replaces_the_rows_of_its_table_and_what_takes_it_over_follows(folder):
    folder.write(
        "plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls (name text, size int);"
    )
    folder.write("plans/fruit/data/placeholder", "")
    folder.write(
        "plans/fruit/data/010_apples.sql",
        "insert into headgate.apples select name from fruit.bowls;",
    )
    data = folder.settings.db / "plans/fruit/data/fruit.bowls.csv.gz"
    data.write_bytes(gzip.compress(b"size,name\n1,small\n9,\n"))
    folder.migrate()
    data.write_bytes(gzip.compress(b"name,size\nbig,7\n"))

    assert folder.migrate() == [
        "plans/fruit/data/fruit.bowls.csv.gz",
        "plans/fruit/data/010_apples.sql",
    ]
    assert folder.sql("select name, size from fruit.bowls") == [("big", 7)]
    assert folder.sql("select name from headgate.apples") == [("small",), (None,), ("big",)]


def test_wrong_data_names_its_line(folder):
    folder.write("plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls (size int);")
    folder.write("plans/fruit/data/placeholder", "")
    data = folder.settings.db / "plans/fruit/data/fruit.bowls.csv.gz"
    data.write_bytes(gzip.compress(b"size\n1\nbig\n"))

    with pytest.raises(MigrationFailed, match=r"fruit\.bowls\.csv\.gz:3: invalid input syntax"):
        folder.migrate()


def test_migrate_ends_with_the_databases_own_check_of_the_plans(folder):
    folder.write(
        "functions/check_plans.sql",
        """\
        create or replace function headgate.check_plans() returns void language plpgsql as $$
        begin
            raise exception 'step a waits for itself' using errcode = 'HG020', hint = 'look again';
        end $$;
        """,
    )

    with pytest.raises(WrongPlan, match="step a waits for itself") as error:
        folder.migrate()
    assert error.value.hint == "look again"
    assert folder.sql("select to_regclass('headgate.apples')") == [(None,)]


def test_the_owner_may_make_queues(folder):
    folder.write("migrations/0003_queue.sql", "select pgmq.create('apples_high');")
    folder.migrate()

    assert folder.sql("select queue_name from pgmq.list_queues()") == [("apples_high",)]


def test_a_second_admin_is_reported_which_grant_is_missing_and_who_can_give_it(tmp_path):
    with embedded_server() as server:
        with connect(server, "test") as connection:
            connection.execute("create role first login createrole createdb")
            connection.execute("create role second login createrole createdb")
        running = Server(server.home).start()
        folder = Folder(
            replace(server, dsn=running.dsn("plans", user="first"), database="plans", db=tmp_path)
        )
        folder.write("plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls ();")
        folder.migrate()
        folder.write("plans/fruit/migrations/0002_more.sql", "create table fruit.more ();")
        second = replace(folder.settings, dsn=running.dsn("plans", user="second"))

        with pytest.raises(MigrateError, match=r"^second may not act for headgate_owner$") as error:
            migrate(second)
        assert error.value.hint == "first or a superuser says: grant headgate_owner to second"
        folder.sql("grant headgate_owner to second")
        assert migrate(second).files == ["plans/fruit/migrations/0002_more.sql"]


def test_migrations_of_two_databases_of_one_server_do_not_wait_for_each_other(tmp_path):
    with embedded_server() as server:
        first, second = (Folder(replace(server, database=x, db=tmp_path / x)) for x in "ab")
        for folder in (first, second):
            folder.write("roles/010_limits.sql", LIMITS)
            folder.write("plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls ();")
        first.write("migrations/0003_wait.sql", "lock table public.queue;")
        with connect(server, "test") as connection:
            connection.execute("create database a")
        first.sql("create table public.queue (); grant all on public.queue to public")
        with connect(first.settings, "test", autocommit=False) as holder, ThreadPoolExecutor() as x:
            holder.execute("lock table public.queue")
            waiting = x.submit(migrate, replace(first.settings, lock_timeout="1h"))
            wait_for(server, "select 1 from pg_locks where not granted")

            assert len(second.migrate()) == 4
            holder.rollback()
            assert len(waiting.result(PATIENCE).files) == 5


def test_first_migrations_of_several_databases_of_one_server_make_its_roles_together(tmp_path):
    shutil.copytree(DB, tmp_path / "db", ignore=shutil.ignore_patterns("plans"))
    with embedded_server() as server, ThreadPoolExecutor() as threads:
        each = [replace(server, database=x, db=tmp_path / "db") for x in ("a", "b", "c", "a")]
        counts = sorted(len(x.files) for x in threads.map(migrate, each))

    assert counts[0] == 0 and counts[1] == counts[2] == counts[3] > 0


def test_an_advisory_lock_of_somebody_s_does_not_keep_migrate_waiting(folder):
    with connect(folder.settings, "test") as connection:
        connection.execute(
            "select pg_advisory_lock(hashtextextended('headgate.migrate', 0)),"
            " pg_advisory_lock(hashtext('headgate.migrate'))"
        )
        assert len(folder.migrate()) == 2


def test_a_run_that_is_killed_lets_the_next_one_continue(folder):
    folder.sql("create table public.queue (); grant all on public.queue to public")
    folder.write("migrations/0003_wait.sql", "lock table public.queue;")
    with (
        connect(folder.settings, "test", autocommit=False) as holder,
        ThreadPoolExecutor() as threads,
    ):
        holder.execute("lock table public.queue")
        killed = threads.submit(migrate, replace(folder.settings, lock_timeout="1h"))
        wait_for(folder.settings, BLOCKED)
        next_one = threads.submit(migrate, folder.settings)
        wait_for(folder.settings, f"{BLOCKED} and query like 'lock table headgate.%'")
        folder.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where cardinality(pg_blocking_pids(pid)) > 0 and query like 'lock table public.queue%'"
        )
        holder.rollback()

        with pytest.raises(MigrationFailed, match="terminating connection"):
            killed.result(PATIENCE)
        assert len(next_one.result(PATIENCE).files) == 3


def test_no_statement_of_a_run_is_compiled(folder):
    folder.sql(f"alter database {folder.settings.database} set jit = on")
    folder.write(
        "migrations/0003_seen.sql",
        "create table headgate.seen as select current_setting('jit') as jit;",
    )

    folder.migrate()

    assert folder.sql("select jit from headgate.seen") == [("off",)]


def test_a_dry_run_gives_nobody_a_right(folder):
    folder.write("roles/010_limits.sql", LIMITS)
    before = folder.sql("select count(*) from pg_auth_members")

    assert "roles/010_limits.sql" in folder.migrate(dry_run=True)
    assert folder.sql("select count(*) from pg_auth_members") == before


@pytest.fixture
def extension(folder: Folder) -> Iterator[Callable[..., None]]:
    """Offer versions of an extension pgmq to the folder's database; each is a script."""
    (row,) = folder.sql("select current_setting('server_version_num')::int / 10000")
    if row[0] < 18:
        pytest.skip("where extensions are can be said from PostgreSQL 18 on")
    with scratch_folder() as home:
        place = home / "extension"
        place.mkdir()
        home.chmod(0o755)

        def offer(**versions: str) -> None:
            names = {name.removeprefix("v").replace("_", "."): x for name, x in versions.items()}
            for version, text in names.items():
                (place / f"pgmq--{version}.sql").write_text(text)
            default = next(iter(names))
            control = f"default_version = '{default}'\nschema = pgmq\nrelocatable = false\n"
            (place / "pgmq.control").write_text(control)

        folder.sql("drop schema pgmq cascade")
        database = folder.settings.database
        folder.sql(f"alter database {database} set extension_control_path = '{home}:$system'")
        yield offer


OLD = "create table pgmq.meta (queue_name text);"
QUEUE = "select pgmq.create('apples_high'); select pgmq.send('apples_high', '{}');"


def test_an_extension_that_is_offered_and_too_old_is_left_alone(folder, extension):
    extension(v1_4_4=OLD, v1_5_1=OLD)
    folder.write("migrations/0003_queue.sql", QUEUE)

    assert len(folder.migrate()) == 3
    assert folder.sql("select 1 from pg_extension where extname = 'pgmq'") == []


def test_an_extension_that_is_new_enough_is_installed(folder, extension):
    extension(v1_5_1=OLD, v1_13_0=get_embedded_install_sql())
    folder.write("migrations/0003_queue.sql", QUEUE)

    assert len(folder.migrate()) == 3
    found = folder.sql("select extversion from pg_extension where extname = 'pgmq'")
    assert found == [("1.13.0",)]


@pytest.mark.parametrize(
    ("newer", "advice"),
    [
        ({}, "drop extension pgmq cascade: migrate then installs the SQL of the Python package"),
        ({"v1_13_0": OLD}, "alter extension pgmq update to '1.13.0'"),
    ],
)
def test_an_extension_that_is_installed_and_too_old_is_refused_before_anything_is_touched(
    folder, extension, newer, advice
):
    extension(v1_4_4=OLD, **newer)
    folder.sql("create extension pgmq")

    with pytest.raises(
        MigrateError, match=r"has the extension pgmq 1\.4\.4; .* needs 1\.10"
    ) as error:
        folder.migrate()
    assert advice in (error.value.hint or "")
    assert folder.sql("select to_regnamespace('headgate')") == [(None,)]


def test_a_pgmq_that_is_not_an_extension_and_too_old_is_refused(folder):
    folder.sql("drop schema pgmq cascade; create schema pgmq")

    with pytest.raises(
        MigrateError, match=r"has a pgmq before 1\.10; Headgate needs 1\.10"
    ) as error:
        folder.migrate()
    assert "drop schema pgmq cascade" in (error.value.hint or "")


def test_an_extension_that_only_a_superuser_may_install_is_left_alone(tmp_path):
    with embedded_server() as server, scratch_folder() as home:
        (home / "extension").mkdir()
        home.chmod(0o755)
        (home / "extension" / "pgmq--1.13.0.sql").write_text(get_embedded_install_sql())
        (home / "extension" / "pgmq.control").write_text(
            "default_version = '1.13.0'\nschema = pgmq\n"
        )
        with connect(server, "test") as connection:
            connection.execute("create role admin login createrole createdb")
            connection.execute("create database plans owner admin template template0")
            connection.execute(
                f"alter database plans set extension_control_path = '{home}:$system'".encode()
            )
        running = Server(server.home).start()
        settings = replace(server, dsn=running.dsn("plans", user="admin"), database="plans")
        folder = Folder(replace(settings, db=tmp_path / "db"))
        folder.write("migrations/0003_queue.sql", QUEUE)

        assert len(folder.migrate()) == 3


def test_a_database_that_is_not_in_the_state_of_the_folder_is_reported(folder):
    folder.migrate()
    folder.write("functions/a.sql", "create or replace function headgate.a() returns int return 1;")

    with (
        connect(folder.settings, "test") as connection,
        pytest.raises(NotMigrated, match=r"lacks db/functions/a\.sql"),
    ):
        require_migrated(connection, folder.settings)


def test_a_folder_without_migrations_is_refused(folder, tmp_path):
    with pytest.raises(MigrateError, match="has no folder `migrations`"):
        migrate(replace(folder.settings, db=tmp_path / "nowhere"))


def test_an_old_server_is_refused():
    class Info:
        server_version = 140011

    class Connection:
        info = Info()

    with pytest.raises(
        ServerTooOld, match="the server is PostgreSQL 14; Headgate needs 15 or newer"
    ):
        require_version(Connection())  # type: ignore[arg-type]


@pytest.fixture
def plan(core_template, clone, tmp_path) -> Folder:
    """Copy the core, with a plan `fruit` of a few lines beside it."""
    db = tmp_path / "db"
    shutil.copytree(core_template.db, db)
    folder = Folder.__new__(Folder)
    folder.settings = replace(clone(core_template), db=db)
    folder.write("plans/fruit/plan.sql", FRUIT)
    return folder


FRUIT = """\
-- Fruit.
select headgate.begin_plan('fruit');

select headgate.put_provider('fruit', 'http://fruit.test',
    quota => 100, requests_per_minute => 60);
select headgate.put_operation('fruit_apples', 'apples', due => 'every 1 day', provider => 'fruit',
    units => 1, request => 'GET /apples/{asset.code}');
select headgate.put_pipeline('fruit');
select headgate.put_step('fruit', 'all', operations => '{fruit_apples}');
select headgate.put_step('fruit', 'again', operations => '{fruit_apples}', depends_on => '{all}');

select headgate.end_plan();

select headgate.upsert_assets('apples', '[{"code": "red", "group_key": "a"}]');
"""


def edit(folder: Folder, *changes: tuple[str, str]) -> None:
    """Change the plan's file."""
    text = FRUIT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder.write("plans/fruit/plan.sql", text)


def test_an_edited_line_of_a_plan_is_applied_alone_and_named(plan, caplog):
    assert plan.migrate() == ["plans/fruit/plan.sql"]
    versions = "select o.xmin::text, s.xmin::text from headgate.operations as o, headgate.pipeline_steps as s order by s.step"
    before = plan.sql(versions)
    edit(plan, ("requests_per_minute => 60", "requests_per_minute => 90"))

    with caplog.at_level(logging.INFO):
        assert plan.migrate() == ["plans/fruit/plan.sql"]
    assert "db/plans/fruit/plan.sql:4: changed: requests_per_minute" in caplog.messages
    assert plan.sql("select requests_per_minute from headgate.providers where name = 'fruit'") == [
        (90,)
    ]
    assert plan.sql(versions) == before
    assert plan.migrate() == []


def test_a_step_that_is_gone_from_a_plan_is_retired_and_named(plan, caplog):
    plan.migrate()
    edit(plan, (FRUIT.splitlines(keepends=True)[9], "\n"))

    with caplog.at_level(logging.INFO):
        plan.migrate()
    assert "db/plans/fruit/plan.sql:12: retired: pipeline fruit, step again" in caplog.messages


def test_a_plan_with_ten_mistakes_reports_ten_each_with_line_and_hint(plan):
    edit(
        plan,
        ("'http://fruit.test'", "'fruit.test'"),
        ("quota => 100", "quota => -1"),
        ("every 1 day", "evry 1 day"),
        ("units => 1", "units => -1"),
        ("put_pipeline('fruit')", "put_pipeline('fruit', descripton => 'Fruit.')"),
        ("'all', operations => '{fruit_apples}'", "'all', operations => '{fruit_aples}'"),
        ("'{all}'", "'{al}', max_failed_share => 2"),
        ("select headgate.end_plan", "select headgate.put_rul('fruit');\nsel;\nselect headgate.end_plan"),
    )  # fmt: skip
    with pytest.raises(WrongPlan) as error:
        plan.migrate()

    said = str(error.value)
    assert said.startswith("plan fruit has 10 mistakes:\n"), said
    found = re.findall(r"(?m)^db/plans/fruit/plan\.sql:(\d+): (.*)$\n    hint: (.+)$", said)
    assert [(int(line), what) for line, what, _ in found] == [
        (4, "provider fruit breaks the rule: base url is http"),
        (4, "provider fruit breaks the rule: quota is not negative"),
        (6, "operation fruit_apples: due cannot be 'evry 1 day'"),
        (6, "operation fruit_apples breaks the rule: units are not negative"),
        (8, "function headgate.put_pipeline(unknown, descripton => unknown) does not exist"),
        (9, "pipeline fruit, step all: unknown operation 'fruit_aples'"),
        (10, "pipeline fruit, step again: depends on unknown step 'al'"),
        (10, "pipeline fruit, step again breaks the rule: max failed share is a share"),
        (12, "function headgate.put_rul(unknown) does not exist"),
        (13, 'syntax error at or near "sel"'),
    ], said
    for near in ("every", "description", "fruit_apples", "all", "put_rule"):
        assert f"did you mean {near}?" in said, said


def test_postgresqls_own_error_in_a_plan_joins_the_others(plan):
    edit(
        plan,
        ("units => 1", "unit => 1"),
        ("operations => '{fruit_apples}', depends_on", "operations => '{fruit_pears}', depends_on"),
        ("requests_per_minute => 60", "requests_per_minute => 'many'"),
        ('"code": "red"', '"kode": "red"'),
    )
    with pytest.raises(WrongPlan) as error:
        plan.migrate()

    assert "plan fruit has 3 mistakes:" in str(error.value)
    assert 'plan.sql:5: invalid input syntax for type integer: "many"' in str(error.value)
    assert "hint: at: quota => 100, requests_per_minute => 'many');" in str(error.value)
    assert "plan.sql:6: function headgate.put_operation(" in str(error.value)
    assert "did you mean units?" in str(error.value)
    assert "plan.sql:10: pipeline fruit, step again: unknown operation 'fruit_pears'" in str(
        error.value
    )
    assert plan.sql("select from headgate.providers where name = 'fruit'") == []


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ("begin_plan('friut')", r"plan\.sql:2: begin_plan\('friut'\) is in the file of plan fruit"),
        ("clock()", r"plan\.sql:4: no plan has begun in this transaction"),
    ],
)
def test_a_plan_that_does_not_begin_as_its_folder_is_refused_with_the_place(plan, begun, said):
    edit(plan, ("begin_plan('fruit')", begun))

    with pytest.raises(WrongPlan, match=said):
        plan.migrate()


def test_a_plan_that_does_not_end_is_refused(plan):
    edit(plan, ("select headgate.end_plan();", ""))

    with pytest.raises(MigrationFailed, match="plan fruit does not end"):
        plan.migrate()


def test_a_mistake_after_the_plan_names_its_line(plan):
    edit(plan, ('"code": "red"', '"kode": "red"'))

    with pytest.raises(MigrationFailed, match=r"plans/fruit/plan\.sql:14: "):
        plan.migrate()


def test_a_plans_data_are_taken_over_when_they_change_and_not_when_its_file_does(plan):
    plan.write("plans/fruit/migrations/0001_bowls.sql", "create table fruit.bowls (size int);"
               " grant all on fruit.bowls to headgate_owner; grant usage on schema fruit to headgate_owner;")  # fmt: skip
    plan.write("plans/fruit/data/010_bowls.sql", "insert into fruit.bowls values (1);")
    plan.migrate()
    edit(plan, ("requests_per_minute => 60", "requests_per_minute => 90"))

    assert plan.migrate() == ["plans/fruit/plan.sql"]
    (plan.settings.db / "plans/fruit/data/fruit.bowls.csv.gz").write_bytes(
        gzip.compress(b"size\n7\n")
    )
    assert plan.migrate() == [
        "plans/fruit/data/fruit.bowls.csv.gz",
        "plans/fruit/data/010_bowls.sql",
    ]
    assert plan.sql("select size from fruit.bowls order by 1") == [(1,), (7,)]


def test_the_file_of_a_plan_runs_under_psql(plan):
    plan.migrate()
    edit(plan, ("requests_per_minute => 60", "requests_per_minute => 90"))
    file = plan.settings.db / "plans/fruit/plan.sql"

    with connect(plan.settings, "test", autocommit=False) as connection:
        connection.execute(file.read_text().encode())
        connection.commit()
    assert plan.sql("select requests_per_minute from headgate.providers where name = 'fruit'") == [
        (90,)
    ]
