"""`headgate doctor --fix` on a database that was damaged by hand."""

from __future__ import annotations

import json
import time

import pytest

from headgate.cli.commands import doctor
from headgate.database import connect
from headgate.settings import Settings

RUINS = {
    "functions, views, rights and queues": [
        "drop view headgate.v_quota cascade",
        "drop function headgate._availability(headgate.providers, timestamptz)",
        "alter function headgate.clock() volatile",
        "grant select on headgate.settings to headgate_reader",
        "select pgmq.drop_queue('local_low')",
        "select pgmq.send('local_high', '{}')",
    ],
    "the doctor's own eyes": ["drop function headgate.database_health() cascade"],
    "pgmq": ["drop schema pgmq cascade"],
}
WITH_PLANS = ("functions, views, rights and queues",)
"""Ruins of a database with the shipped plans, whose views use the core's."""


@pytest.fixture
def ruined(request: pytest.FixtureRequest, ruin: str) -> Settings:
    """Damage a clone of the template, or of the core: repairing that takes half as long."""
    name = "database" if ruin in WITH_PLANS else "core"
    settings: Settings = request.getfixturevalue(name)
    with connect(settings, "test") as connection:
        for statement in RUINS[ruin]:
            connection.execute(statement)
    return settings


@pytest.mark.parametrize("ruin", RUINS)
def test_damage_is_found_and_repaired(run, ruined):
    before = json.loads(run("doctor", "--json", settings=ruined).out)
    after = run("doctor", "--fix", "--json", settings=ruined)

    found = {x["verdict"] for x in before if x["is_fixable"]}
    assert found, before
    assert after.code == 0, after.out + after.err
    verdicts = [x["verdict"] for x in json.loads(after.out)]
    assert "done" in verdicts and "fail" not in verdicts
    assert not any(x["is_fixable"] for x in json.loads(after.out))


HUNDRED_THOUSAND_TRANSACTIONS = """
do $$
begin
    create temp table done (n integer) on commit drop;
    for i in 1..100001 loop
        begin
            insert into done values (i);
        exception
            when division_by_zero then null;  -- the block is a transaction with a number of its own
        end;
    end loop;
end;
$$
"""


def test_a_snapshot_that_pins_the_horizon_is_reported_until_it_is_gone(run, core):
    with (
        connect(core, "somebody's notebook", autocommit=False) as forgotten,
        connect(core, "test") as connection,
    ):
        forgotten.execute("set transaction isolation level repeatable read")
        forgotten.execute("select 1")
        connection.execute(HUNDRED_THOUSAND_TRANSACTIONS)
        during = told(run("doctor", "--json", settings=core).out)
        forgotten.rollback()
        after = told(run("doctor", "--json", settings=core).out)

    assert during["database oldest_xmin_transactions"]["verdict"] == "warn"
    assert "pg_stat_activity" in during["database oldest_xmin_transactions"]["advice"]
    assert "database oldest_xmin_transactions" not in after


def told(printed: str) -> dict[str, dict[str, str]]:
    """Return a doctor's messages by subject."""
    return {x["check"]: x for x in json.loads(printed)}


@pytest.mark.parametrize(("ahead", "verdict"), [(0, "ok"), (60, "warn"), (-60, "warn")])
def test_a_clock_that_differs_from_the_server_s_is_reported(core, monkeypatch, ahead, verdict):
    monkeypatch.setattr(
        "headgate.cli.commands.doctor.time.time", lambda now=time.time: now() + ahead
    )
    with connect(core, "test") as connection:
        finding = doctor._clock(connection)

    assert finding.verdict == verdict
    assert ("behind" if ahead > 0 else "ahead of") in finding.found or not ahead


def test_stores_are_looked_into(run, core, tmp_path):
    with connect(core, "test") as connection:
        connection.execute(
            "insert into headgate.stores (name, url, key_id_name, secret_name) values"
            f" ('here', 'file://{tmp_path}', null, null), ('gone', 'file://{tmp_path}/gone', null, null),"
            " ('shut', 's3://bucket', 'NO_SUCH_ID', 'NO_SUCH_SECRET')"
        )
    said = json.loads(run("doctor", "--json", settings=core).out)

    found = {
        x["check"]: (x["verdict"], x["found"]) for x in said if x["check"].startswith("store ")
    }
    assert found["store here"] == ("ok", f"file://{tmp_path} answers")
    assert found["store gone"] == ("warn", f"store gone: there is no file://{tmp_path}/gone")
    assert found["store shut"] == (
        "warn", "store shut: the secret NO_SUCH_ID is not set",
    )  # fmt: skip
