"""A misspelt name or a wrong database is reported before anything else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from headgate.cli.commands import elsewhere
from headgate.database import connect
from headgate.settings import Settings
from tests import clock
from tests.plan import Plan
from tests.runner.conftest import Run
from tests.runner.small_plan import start, write_plan

Clone = Callable[[Settings | None], Settings]
RUNS = "select count(*) from headgate.v_recent_executions"


@pytest.fixture
def database(core: Settings) -> Settings:
    """Clone the core: beside the shipped plans a test's own takes three times as long to check."""
    return core


@pytest.fixture(scope="session")
def secretive_template(clone: Clone, core_template: Settings) -> Settings:
    """Write a plan once whose provider needs a secret that is not set."""
    settings = clone(core_template)
    auth = {"in": "query", "name": "token"}
    with _frozen(settings) as plan:
        write_plan(plan, base_url="http://127.0.0.1:1", secret_name="SHOP_TOKEN", auth=auth)
        plan.sql(
            "insert into headgate.pipeline_parameters (pipeline_id, name, type, effect)"
            " select pipeline_id, 'max_new', 'integer', 'max_assets' from headgate.pipelines"
            " where name = 'small_shop'"
        )
    return settings


@pytest.fixture(scope="session")
def ran_template(clone: Clone, core_template: Settings) -> Settings:
    """Write a plan once, and start a run."""
    settings = clone(core_template)
    with _frozen(settings) as plan:
        write_plan(plan, assets=1)
        start(plan, "first")
    return settings


@contextmanager
def _frozen(settings: Settings) -> Iterator[Plan]:
    """Connect at the moment at which a clone's clock starts."""
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        plan.freeze_clock(clock.NOW)
        yield plan


@pytest.fixture
def core_database(request: pytest.FixtureRequest, clone_for_test: Clone) -> Settings:
    """Clone the plan with a secret if the test asks for it, else the core."""
    source = "secretive" if "shop" in request.fixturenames else "core"
    template: Settings = request.getfixturevalue(f"{source}_template")
    return clone_for_test(template)


@pytest.fixture
def shop(plan: Plan) -> Plan:
    """Connect to a database with a plan whose provider needs a secret that is not set."""
    return plan


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (["run", "small_shpo"], "HG001", "small_shop"),
        (["run", "small_shop", "--param", "max_nwe=3"], "HG007", "max_new"),
        (["worker", "--queues", "shop_nromal"], "HG008", "shop_normal"),
        (["status", "--pipeline", "small_shpo"], "HG001", "small_shop"),
        (["status", "mondya-1"], "HG002", "monday-1"),
        (["report", "monday-1", "--pipeline", "small_shpo"], "HG001", "small_shop"),
        (["retry", "monday-2"], "HG002", "monday-1"),
        (["explain", "small_shop", "--param", "max_nwe=3"], "HG007", "max_new"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_a_misspelt_name_is_answered_with_similar_names(
    run: Run, database: Settings, shop: Plan, arguments: list[str], code: str, meant: str
):
    if "monday-1" in (meant, *arguments):
        start(shop, "monday-1")

    result = run(*arguments, settings=database)

    assert result.code == 1
    assert f"[{code}]\nhint: did you mean {meant}?" in result.err
    assert shop.scalar(RUNS) == ("monday-1" in (meant, *arguments))


def test_a_value_that_is_not_allowed_is_reported_before_the_secret(
    run: Run, database: Settings, shop: Plan
):
    result = run("run", "small_shop", "--param", "max_new=many", settings=database)

    assert "[HG008]\nhint: give a whole number" in result.err


def test_with_all_names_right_the_missing_secret_is_reported(
    run: Run, database: Settings, shop: Plan
):
    result = run("run", "small_shop", "--param", "max_new=3", settings=database)

    assert "SHOP_TOKEN is not set [HG019]" in result.err


@pytest.fixture
def other(clone_for_test: Clone, ran_template: Settings, database: Settings) -> Settings:
    """Create a second database with a run in it; the first one has none."""
    return clone_for_test(ran_template)


def test_an_empty_status_names_the_database_and_where_runs_are(
    run: Run, database: Settings, other: Settings
):
    shown = run("status", settings=database)
    told = run("status", "--json", settings=database)

    assert shown.code == told.code == 0
    assert f"nothing has run yet in database {database.database}; " in shown.err
    assert (
        f"database {other.database} has runs, the latest is small_shop first:"
        f" HEADGATE_DATABASE={other.database} headgate status"
    ) in " ".join(shown.err.split())
    assert told.err == shown.err
    assert json.loads(told.out) == []


def test_a_run_of_another_database_is_found(run: Run, database: Settings, other: Settings):
    result = run("status", "first", settings=database)

    assert f"there is no run 'first' in database {database.database} [HG002]" in result.err
    assert f"HEADGATE_DATABASE={other.database} headgate status" in result.err


def test_a_database_that_is_missing_or_empty_is_reported_with_those_that_have_runs(
    run: Run, database: Settings, other: Settings, clone: Clone
):
    missing = run("status", settings=database.with_database("headgate_nowhere"))
    empty = run("status", settings=clone(None))

    for result in (missing, empty):
        assert result.code == 1
        assert "hint: run: headgate migrate" in result.err
        assert f"HEADGATE_DATABASE={other.database} headgate status" in result.err


def test_databases_of_others_are_left_alone(database: Settings, other: Settings, clone: Clone):
    foreign = clone(None)  # somebody else's, without any of our tables

    found = "\n".join(elsewhere.elsewhere(database))

    assert f"database {other.database} " in found, elsewhere._databases(database)
    assert not any(f"database {x.database} " in found for x in (database, foreign))
    nowhere = replace(database, dsn="postgresql://me@127.0.0.1:1/headgate")
    assert elsewhere.elsewhere(nowhere) == []
