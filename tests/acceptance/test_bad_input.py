"""Bad input on the command line: a message, a hint, a code, and nothing written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest
from psycopg import sql

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.acceptance.system import PIPELINE, TOKEN, System, killed_at_the_end
from tests.limits import PATIENCE
from tests.plan import Row

RUN = ("run", PIPELINE)
NOWHERE = "postgresql://me:hunter2@127.0.0.1:1/headgate"
WRONG = "postgresql://me:hun/ter2@db/headgate"
TABLES = """
select c.oid::regclass::text as name
from pg_class as c
where c.relkind = 'r'
    and c.relnamespace = any (array['headgate', 'equities', 'pgmq']::regnamespace[])
"""
ORDER = sql.SQL(" order by name")
STATE = "select {} as name, count(*), max(xmin::text::bigint) from {}"


@pytest.fixture(scope="module")
def system(
    clone: Callable[[Settings | None], Settings],
    template: Settings,
    _standin,
    tmp_path_factory,
) -> Iterator[System]:
    with killed_at_the_end(
        System(clone(template), _standin, tmp_path_factory.mktemp("logs"))
    ) as at:
        at.set_provider(base_url=_standin.api)
        yield at


BAD: dict[str, tuple[tuple[str, ...], dict[str, str], str]] = {
    "pipeline": (("run", "no_such"), {}, "unknown pipeline: 'no_such' [HG001]"),
    "parameter": ((*RUN, "--param=no_such=1"), {}, "has no parameter 'no_such' [HG007]"),
    "group": ((*RUN, "--param=exchanges=NOWHERE"), {}, "has no group 'NOWHERE' [HG006]"),
    "value": ((*RUN, "--param=eodhd_daily_quota=-1"), {}, "invalid value -1 [HG008]"),
    "ticker": ((*RUN, "--param=tickers=NO_SUCH.US"), {}, "'NO_SUCH.US' [HG009]"),
    "symbol": ((*RUN, "--param=tickers=SAP"), {}, "'SAP' is ambiguous in universe equities"),
    "secret": (RUN, {TOKEN: ""}, f"whose secret {TOKEN} is not set [HG019]"),
    "quota": (("explain", PIPELINE, "--quota=-1"), {}, "cannot be negative: -1 [HG008]"),
    "server": (RUN, {"HEADGATE_DSN": NOWHERE}, "127.0.0.1:1: Connection refused"),
    "dsn": (RUN, {"HEADGATE_DSN": WRONG}, "HEADGATE_DSN is not a connection string"),
}


@pytest.fixture(scope="module")
def before(system: System) -> list[Row]:
    return written(system.settings)


@pytest.fixture(scope="module")
def processes(system: System, before: list[Row]) -> dict[str, subprocess.Popen[str]]:
    """Start all commands at once: two cores are better than one."""
    return {
        name: system.spawn(*arguments, **environ) for name, (arguments, environ, _) in BAD.items()
    }


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_reported_and_writes_nothing(system, before, processes, name):
    assert processes[name].wait(PATIENCE) == 1
    told = system.said(processes[name])
    assert BAD[name][2] in told
    assert "\nhint: " in told
    assert "Traceback" not in told
    assert "hunter2" not in told
    assert written(system.settings) == before


def test_a_database_that_was_not_migrated_is_reported_with_what_to_do(system, clone):
    empty = clone(None)
    process = system.spawn(*RUN, HEADGATE_DSN=dsn_of(empty), HEADGATE_DATABASE=empty.database)

    assert process.wait(PATIENCE) == 1
    assert "hint: run: headgate migrate" in system.said(process)
    with connect(empty, "test") as connection:
        schemas = connection.execute("select 1 from pg_namespace where nspname = 'headgate'")
        assert schemas.fetchall() == []


def written(settings: Settings) -> list[Row]:
    """Return the number of rows of each table, and the transaction that wrote the latest."""
    with connect(settings, "test") as connection:
        names = [row["name"] for row in connection.execute(TABLES)]
        states = [sql.SQL(STATE).format(sql.Literal(x), sql.SQL(x)) for x in names]
        return connection.execute(sql.SQL(" union all ").join(states) + ORDER).fetchall()
