"""run_checks counts and compares failing rows as dbt does; results stay, however the step ends."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from headgate.database import connect, dsn_of
from tests.db.conftest import Toys
from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy
from tests.docs import ROOT, blocks
from tests.limits import PATIENCE, wait_until
from tests.plan import Plan, Row

PIPELINE = "put_pipeline('checked')"
STEPS = (
    "put_step('checked', 'check_data', function => 'headgate.run_checks')",
    "put_step('checked', 'finalize_execution', function => 'headgate.finalize_execution',"
    " depends_on => '{check_data}', trigger_rule => 'all_done')",
)
TABLES = """
set local role headgate_plan_toy;
create table toy.posts (id integer, user_id integer, kind text, loaded_at timestamptz);
create table toy.users (id integer, email text);
insert into toy.users values (1, 'a@toy.test'), (2, null), (3, 'a@toy.test');
insert into toy.posts values
    (1, 1, 'news', '2024-03-05 11:00+00'), (2, 2, 'essay', '2024-03-05 10:00+00'), (2, 9, 'news', null);
create function toy.spoil() returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp
as 'begin insert into toy.users values (9, null); return 1; end';
reset role;
"""


class Checks:
    """Declares checks of the plan toy and runs them; checks of shipped plans are removed."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        toy.sql("delete from headgate.checks")
        self._shelf = Shelf(toy)

    def put(self, **checks: str) -> None:
        """Declare checks by name and arguments of put_check, without a pipeline."""
        calls = [f"put_check('{name}', {rest})" for name, rest in checks.items()]
        with self.toy.connection.transaction():
            self._shelf.put(*calls, plan="toy")

    def put_pipeline(self, **checks: str) -> None:
        """Declare a pipeline with these checks and the step that runs them."""
        calls = [f"put_check('{x}', {y}, pipeline => 'checked')" for x, y in checks.items()]
        self._shelf.put(PIPELINE, *STEPS, *calls, plan="toy")

    def run(self) -> Row:
        """Run the checks; return the report."""
        return dict(self.toy.value("run_checks"))

    def result(self, name: str) -> Row:
        """Return the last result of a check."""
        (row,) = self.toy.sql(
            "select * from headgate.v_check_results where name = %(name)s"
            " order by result_id desc limit 1",
            name=name,
        )
        return row

    def statuses(self) -> dict[str, str]:
        """Return the latest status of each check."""
        return {
            x["name"]: x["status"]
            for x in self.toy.sql("select name, status from headgate.v_checks")
            if x["status"]
        }

    def alerts(self) -> list[tuple[str, str]]:
        """Return the open alerts."""
        rows = self.toy.sql(
            "select severity, subject from headgate.v_alerts"
            " where resolved_at is null and subject like 'check %%' order by subject"
        )
        return [(x["severity"], x["subject"]) for x in rows]


@pytest.fixture
def checks(toy: Toy) -> Iterator[Checks]:
    toy.connection.execute(TABLES)
    yield Checks(toy)


@pytest.mark.parametrize(
    ("declared", "value", "status"),
    [
        ("'row_count', \"on\" => 'toy.posts'", 3, "passed"),
        ("'row_count', \"on\" => 'toy.posts', error_if => '< 4'", 3, "failed"),
        ("'not_null', \"on\" => 'toy.users', columns => '{id}'", 0, "passed"),
        ("'not_null', \"on\" => 'toy.users', columns => '{id, email}'", 1, "failed"),
        ("'unique', \"on\" => 'toy.posts', columns => '{id}'", 1, "failed"),
        ("'unique', \"on\" => 'toy.posts', columns => '{id, user_id}'", 0, "passed"),
        ("'unique', \"on\" => 'toy.users', columns => '{email}'", 1, "failed"),
        (
            "'accepted_values', \"on\" => 'toy.posts', columns => '{kind}', accepted => '{news}'",
            1,
            "failed",
        ),
        (
            "'accepted_values', \"on\" => 'toy.posts', columns => '{id}', accepted => '{1,2}'",
            0,
            "passed",
        ),
        (
            "'relationships', \"on\" => 'toy.posts', columns => '{user_id}', parent => 'toy.users',"
            " field => 'id'",
            1,
            "failed",
        ),
        (
            "'freshness', \"on\" => 'toy.posts', columns => '{loaded_at}', error_if => '> 1 hour'",
            3600,
            "passed",
        ),
        (
            "'freshness', \"on\" => 'toy.posts', columns => '{loaded_at}', warn_if => '> 30 minutes',"
            " error_if => '> 1 day'",
            3600,
            "warned",
        ),
        ("query => 'select id from toy.posts', error_if => '> 3'", 3, "warned"),
        ("query => 'select id from toy.posts', warn_if => '> 3', error_if => '>= 4'", 3, "passed"),
        ("query => 'select id from toy.posts', severity => 'warn', error_if => '> 0'", 3, "warned"),
        (
            "query => 'select id from toy.posts', fail_calc => 'sum(id)', error_if => '= 5'",
            5,
            "failed",
        ),
    ],
)
def test_a_check_judges_as_dbt_does(checks: Checks, declared: str, value: int, status: str):
    checks.put(it=declared)
    report = checks.run()

    row = checks.result("it")
    assert (row["value"], row["status"]) == (value, status), row["message"]
    assert report["status"] == ("failed" if status == "failed" else "succeeded")
    assert report["checks"]["it"] == {"status": status, "value": value}


def test_a_table_without_rows_is_not_fresh(checks: Checks, toy: Toy):
    toy.sql("delete from toy.posts")
    checks.put(
        it="'freshness', \"on\" => 'toy.posts', columns => '{loaded_at}', error_if => '> 1 day'"
    )

    assert checks.run()["error"] == "1 check failed: it is without a row, fails if > 1 day"


def test_a_check_without_data_passes_without_a_value(checks: Checks):
    checks.put(
        it="query => 'select 1 as n where false', fail_calc => 'avg(n)', error_if => '< 0.5'"
    )

    assert checks.run()["checks"]["it"] == {"status": "passed"}


def test_failing_rows_are_kept_up_to_a_limit(checks: Checks):
    many = "query => 'select n from generate_series(1, 50) as g (n)'"
    checks.put(
        few=f"{many}, keep_rows => 3",
        none=f"{many}, keep_rows => 0",
        big="query => 'select repeat(''x'', 30000) as v from generate_series(1, 9)'",
    )
    checks.run()

    assert checks.result("few")["failing"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert checks.result("few")["value"] == 50
    assert checks.result("none")["failing"] is None
    assert len(checks.result("big")["failing"]) == 2


def test_a_query_that_errs_is_told_by_name_and_the_others_are_made(checks: Checks):
    checks.put(
        a_broken="query => 'select 1 / (id - 2) from toy.posts', severity => 'warn'",
        b_fine="'row_count', \"on\" => 'toy.posts'",
        c_bad="'unique', \"on\" => 'toy.posts', columns => '{id}'",
    )
    report = checks.run()

    assert checks.statuses() == {"a_broken": "errored", "b_fine": "passed", "c_bad": "failed"}
    assert report["error"] == (
        "2 checks failed: a_broken: division by zero [22012]; c_bad is 1, fails if != 0"
    )
    assert [report[x] for x in ("passed", "warned", "failed", "errored")] == [1, 0, 1, 1]


def test_a_query_can_write_nothing(checks: Checks, toy: Toy):
    checks.put(it="query => 'select toy.spoil()'")

    assert "cannot execute INSERT in a read-only transaction" in checks.run()["error"]
    toy.sql("insert into toy.users values (4, null)")
    assert toy.scalar("select count(*) from toy.users") == 4, "what comes after it may write"


def test_a_query_has_the_rights_of_its_plan_only(checks: Checks):
    checks.put(it="query => 'select * from headgate.providers'")

    assert "permission denied for table providers" in checks.run()["error"]


def test_a_check_is_judged_for_each_row_of_its_query(checks: Checks):
    checks.put(
        it="for_each => 'select u.id, u.email from toy.users as u order by u.id',"
        " query => 'select p.id from toy.posts as p where p.user_id = each.id'"
    )
    report = checks.run()

    rows = checks.toy.sql(
        "select subject, value::integer, status from headgate.v_check_results order by result_id"
    )
    assert [tuple(x.values()) for x in rows] == [
        ("1 a@toy.test", 1, "failed"),
        ("2", 1, "failed"),
        ("3 a@toy.test", 0, "passed"),
    ]
    assert report["error"] == (
        "2 checks failed: it is 1, fails if != 0 (1 a@toy.test); it is 1, fails if != 0 (2)"
    )
    assert report["checks"] == {"it": {"status": "failed", "value": 1}}


def test_an_alert_waits_for_hold_for_and_ends_when_it_passes(checks: Checks, toy: Toy):
    checks.put(
        it="'unique', \"on\" => 'toy.posts', columns => '{id}', hold_for => '15 minutes'",
    )
    checks.run()
    assert checks.alerts() == []
    toy.later(minutes=10)
    checks.run()
    assert checks.alerts() == []
    toy.later(minutes=5)
    checks.run()
    assert checks.alerts() == [("error", "check it")]

    toy.sql("update toy.posts set id = 3 where user_id = 9")
    checks.run()
    assert checks.alerts() == []
    toy.sql("update toy.posts set id = 2 where user_id = 9")
    checks.run()
    assert checks.alerts() == [], "the time begins anew"


def test_an_alert_of_a_subject_that_is_gone_ends(checks: Checks, toy: Toy):
    checks.put(
        it="for_each => 'select u.id from toy.users as u', severity => 'warn',"
        " query => 'select p.id from toy.posts as p where p.user_id = each.id'"
    )
    checks.run()
    assert checks.alerts() == [("warning", "check it 1"), ("warning", "check it 2")]

    toy.sql("delete from toy.users where id = 1")
    checks.run()
    assert checks.alerts() == [("warning", "check it 2")]
    checks.put()
    assert checks.alerts() == [], "nor does one outlive its check"


def test_the_maintenance_makes_the_checks_without_a_pipeline(checks: Checks, toy: Toy):
    checks.put(it="'unique', \"on\" => 'toy.posts', columns => '{id}'")
    rows = toy.call("check_health", p_pipeline="plain", p_run_id="r1")

    assert [x["message"] for x in rows if x["subject"] == "check it"] == ["it is 1, fails if != 0"]
    (found,) = (x for x in toy.call("examine") if x["subject"] == "check it")
    assert (found["verdict"], "headgate.v_check_results" in found["advice"]) == ("warn", True)


def run_pipeline(toy: Toy) -> Row:
    toy.call("run_pipeline", p_pipeline="checked", p_run_id="r1")
    toy.advance()
    (row,) = toy.sql(
        "select s.status, s.output from headgate.process_steps as s where s.step = 'check_data'"
    )
    return row


def test_a_step_fails_after_its_results_are_written(checks: Checks, toy: Toy):
    checks.put_pipeline(
        no_nulls="'not_null', \"on\" => 'toy.users', columns => '{email}'",
        counted="'row_count', \"on\" => 'toy.posts'",
    )
    step = run_pipeline(toy)

    assert step["status"] == "failed"
    assert step["output"]["error"] == "1 check failed: no_nulls is 1, fails if != 0"
    assert checks.result("no_nulls")["run_id"] == "r1"
    assert checks.result("no_nulls")["failing"] == [{"id": 2, "email": None}]
    assert checks.alerts() == [], "the step's failure is told anyway"
    (action,) = toy.call("next_actions", p_pipeline="checked", p_run_id="r1")
    assert action["found"] == (
        "step check_data failed: 1 check failed: no_nulls is 1, fails if != 0"
    )


def test_a_step_whose_checks_pass_or_only_warn_succeeds(checks: Checks, toy: Toy):
    checks.put_pipeline(
        no_nulls="'not_null', \"on\" => 'toy.users', columns => '{email}', severity => 'warn'",
    )

    assert run_pipeline(toy)["status"] == "succeeded"
    assert checks.statuses() == {"no_nulls": "warned"}
    assert toy.value("step_output", p_pipeline="checked", p_run_id="r1", p_step="check_data")[
        "checks"
    ] == {"no_nulls": {"status": "warned", "value": 1}}


def test_results_are_forgotten_with_history(checks: Checks, toy: Toy):
    checks.put_pipeline(it="'row_count', \"on\" => 'toy.posts'")
    run_pipeline(toy)
    toy.later(days=100)
    toy.value("run_checks", p_pipeline="checked")
    toy.call("retain", p_keep="50 days")

    rows = toy.sql("select run_id from headgate.v_check_results")
    assert rows == [{"run_id": None}]


def test_a_plan_makes_the_checks_of_its_own_pipelines_only(checks: Checks, toy: Toy):
    checks.put_pipeline(it="'row_count', \"on\" => 'toy.posts'")
    toy.sql("grant execute on function headgate.run_checks(text, text) to headgate_plan_toy")
    toy.sql(
        "grant insert (function, arguments), select (result) on headgate._requests"
        " to headgate_plan_toy"
    )

    def asked(pipeline: str | None) -> Any:
        with toy.connection.transaction():
            toy.sql("set local role headgate_plan_toy")
            found = toy.value("run_checks", p_pipeline=pipeline)
            toy.sql("reset role")
        return found["status"]

    assert asked("checked") == "succeeded"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="of pipeline headgate_main"):
        asked("headgate_maintenance")
    with pytest.raises(psycopg.Error, match="plan toy names no pipeline"):
        asked(None)


FORUM = """
create role headgate_plan_forum nologin;
create schema forum authorization headgate_plan_forum;
grant usage on schema forum to headgate_nobody;
grant usage on schema headgate to headgate_plan_forum;
grant execute on function headgate.clock() to headgate_plan_forum;
set local role headgate_plan_forum;
create table forum.posts (post_id integer);
create table forum.users (email text);
create table forum.stories (loaded_at timestamptz);
create table forum.prices (price numeric);
reset role;
"""


def test_the_pages_declarations_and_changes_work(toy: Toy):
    declared, changed = (
        x.text for x in blocks(ROOT / "docs" / "checks.md", "sql") if "needs" in x.marks
    )
    toy.connection.execute(FORUM)
    for statement in (
        "begin_plan('forum')", "put_pipeline('crawl')", declared, "end_plan()"
    ):  # fmt: skip
        toy.connection.execute(
            (statement if statement == declared else f"select headgate.{statement}").encode()
        )
    assert toy.value("run_checks", p_pipeline="crawl")["error"] == (
        "1 check failed: posts_there is 0, fails if < 1"
    )
    assert toy.value("run_checks")["error"] == (
        "1 check failed: stories_fresh is without a row, fails if > 1 day"
    )
    assert toy.connection.execute(changed.encode()).fetchall() == [
        {
            "name": "posts_once",
            "severity": "warn",
            "warn_if": "> 0",
            "error_if": "> 10",
            "hold_for": timedelta(hours=1),
        }
    ]


def test_an_unknown_run_is_an_error(checks: Checks):
    with (
        pytest.raises(psycopg.Error, match="pipeline plain has no execution 'r9'"),
        checks.toy.connection.transaction(),
    ):
        checks.toy.value("run_checks", p_pipeline="plain", p_run_id="r9")


SLEEP = "query => 'select pg_sleep(60)'"
FINE = "query => 'select 1 where false'"
ACTIVE: LiteralString = """
    from pg_stat_activity as a
    where a.datname = current_database()
        and a.application_name ~ '^headgate check until'
"""
LATE: LiteralString = f"""
    select count(*) > 0 {ACTIVE} and split_part(a.application_name, ' ', 4)::numeric
        < extract(epoch from clock_timestamp())
"""


@contextmanager
def planner(toys: Toys) -> Iterator[Plan]:
    dsn = make_conninfo(dsn_of(toys.settings), user="headgate_planner")
    with connect(replace(toys.settings, dsn=dsn), "test") as session:
        yield Plan(session)


def test_a_check_that_takes_too_long_is_cancelled_by_a_heartbeat(toys: Toys):
    checks = Checks(toys.one)
    checks.put(a_slow=f"{SLEEP}, timeout => '1 second'", b_fine=FINE)
    with planner(toys) as session, ThreadPoolExecutor(1) as pool:
        report = pool.submit(session.value, "run_checks")
        wait_until(lambda: toys.one.scalar(LATE), "a check that is late")
        toys.one.call("heartbeat", p_runner="w9", p_host="h", p_pid=1, p_version="v")
        error = report.result(PATIENCE)["error"]

    assert error == "1 check failed: a_slow: it took longer than its timeout of 1 second"
    assert checks.statuses() == {"a_slow": "errored", "b_fine": "passed"}


def test_checks_left_when_the_statement_times_out_are_not_run(toys: Toys):
    Checks(toys.one).put(a_slow=SLEEP, b_fine=FINE)
    with planner(toys) as session:
        session.sql("set statement_timeout = '300ms'")
        error = session.value("run_checks")["error"]

    assert error == (
        "2 checks failed: a_slow: it took longer than the statement_timeout of 0.3 seconds;"
        " b_fine: it was not made: the statement_timeout was over"
    )


def test_a_cancel_by_hand_ends_all(toys: Toys):
    checks = Checks(toys.one)
    checks.put(a_slow=SLEEP, b_fine=FINE)
    with planner(toys) as session, ThreadPoolExecutor(1) as pool:
        report = pool.submit(session.value, "run_checks")
        wait_until(
            lambda: toys.one.sql(f"select pg_cancel_backend(a.pid) {ACTIVE}"), "a check to cancel"
        )
        with pytest.raises(psycopg.errors.QueryCanceled):
            report.result(PATIENCE)

    assert checks.statuses() == {}
