"""The stand-in's clock follows the database's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg.conninfo import make_conninfo

from headgate.database import dsn_of
from headgate.demo.eodhd import Options, serve
from headgate.demo.eodhd.clock import Clock, ask
from tests.limits import PATIENCE

NEW_YEAR = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
A_MOMENT = timedelta(seconds=PATIENCE)


def dsn_at(database, **times):
    settings = [
        f"-c headgate.{name}='{value}'".replace(" days", "\\ days") for name, value in times.items()
    ]
    return make_conninfo(dsn_of(database), options=" ".join(settings))


async def test_the_stand_in_s_clock_follows_that_of_the_database(database):
    dsn = dsn_at(database, clock_offset="-3250 days")
    async with serve(Options(dsn=dsn)) as standin:
        expected = datetime.now(UTC) - timedelta(days=3250)

        assert abs(standin.clock.now() - expected) < A_MOMENT


async def test_a_database_s_frozen_clock_freezes_the_stand_in_s(database):
    clock = Clock()
    dsn = dsn_at(database, clock_frozen=NEW_YEAR.isoformat())
    await ask(clock, dsn)
    await ask(clock, dsn)

    assert clock.now() == NEW_YEAR


async def test_without_a_database_the_clock_is_the_machine_s():
    dsn = "postgresql://nobody@127.0.0.1:1/nowhere"
    async with serve(Options(dsn=dsn)) as standin:
        assert abs(standin.clock.now() - datetime.now(UTC)) < A_MOMENT


async def test_a_database_that_has_gone_leaves_the_clock_running(database):
    clock = Clock()
    await ask(clock, dsn_at(database, clock_offset="-3250 days"))
    await ask(clock, "postgresql://nobody@127.0.0.1:1/nowhere")

    assert abs(clock.now() - (datetime.now(UTC) - timedelta(days=3250))) < A_MOMENT


def test_a_clock_set_by_hand_holds_until_it_is_released():
    clock = Clock()
    clock.set(NEW_YEAR, frozen=True)
    clock.tell(datetime.now(UTC))
    by_hand = clock.now()
    clock.set(None)
    clock.tell(datetime.now(UTC))

    assert by_hand == NEW_YEAR
    assert abs(clock.now() - datetime.now(UTC)) < A_MOMENT
