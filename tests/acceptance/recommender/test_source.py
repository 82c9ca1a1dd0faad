"""An extraction whose source is stopped, altered or written to, and the pool of two."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psycopg
import pytest

from headgate.database import dsn_of
from headgate.settings import Settings
from tests.acceptance.recommender.conftest import READER, World
from tests.limits import PATIENCE

TRAINING = "recommender_training_pipeline"
INTEGRATION = "noblestride_integration_pipeline"
Session = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def other(source_settings: Settings) -> Iterator[Session]:
    """Connect to the source as another user."""
    with psycopg.connect(dsn_of(source_settings)) as connection:
        yield connection


async def test_r3_never_more_than_two_slots_are_taken_and_what_waits_is_shown(
    world: World, other: Session
):
    other.execute("lock table investors, businesses, deals, users, feedback")
    runs = [asyncio.ensure_future(world.run(x)) for x in (TRAINING, INTEGRATION)]
    pool = "select * from headgate.v_pools where pool = 'ml_training_pool'"
    async with asyncio.timeout(PATIENCE):
        while (row := world.plan.sql(pool)[0])["used"] < 2 or row["waiting"] < 2:
            assert row["used"] <= row["slots"] == 2
            await asyncio.sleep(0.1)
    waits = world.plan.sql("select * from headgate.v_waiting where reason like '%%pool%%'")
    assert row["used"] == 2
    assert waits

    other.rollback()

    for run in runs:
        assert set(world.steps(await run).values()) == {"succeeded"}
    assert world.plan.sql(pool)[0]["used"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("alter table businesses drop column joined_year", 'column "joined_year" does not exist'),
        ("alter table businesses alter joined_year type text using 'spring'", "spring"),
    ],
    ids=["dropped", "of another type"],
)
async def test_a_table_that_was_altered_fails_its_extraction_and_says_why(
    world: World, change: str, said: str
):
    await world.run(TRAINING)
    before = taken_over(world)
    world.source.sql(change)
    world.source.sql("update businesses set name = name || ' Ltd', updated_at = now()")

    run_id = await world.run(TRAINING)

    steps = world.steps(run_id)
    assert (steps["extract_data"], steps["preprocess_data"]) == ("failed", "skipped")
    assert said in " ".join(world.errors(run_id))
    assert taken_over(world) == before


async def test_tables_unread_from_a_stopped_source_are_deferred_whole_and_read_by_the_next_run(
    world: World, other: Session
):
    await world.run(TRAINING)
    before = taken_over(world)
    world.plan.sql("update headgate.operations set max_attempts = 1, max_wait = '1 second'")
    other.execute("update businesses set name = name || ' Ltd', updated_at = now()")
    other.commit()
    other.execute("lock table businesses")
    run = asyncio.ensure_future(world.run(TRAINING))
    stopped = (
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where usename = %(reader)s and wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(PATIENCE):
        while not world.source.sql(stopped, reader=READER):
            await asyncio.sleep(0.1)
    other.rollback()

    run_id = await run

    assert "terminating connection" in " ".join(world.errors(run_id))
    assert taken_over(world) == before

    last = await world.run(TRAINING)
    assert set(world.steps(last).values()) == {"succeeded"}, (world.steps(last), world.errors(last))
    assert all(name.endswith(" Ltd") for name, _ in taken_over(world)[0])


async def test_a_row_that_is_committed_after_the_read_is_read_the_next_time(
    world: World, other: Session
):
    other.execute("insert into deals (investor_id, business_id) values (0, 47)")  # before the read
    await world.run(TRAINING)
    late = "select count(*) from recommender.deals where (investor_id, business_id) = (0, 47)"
    assert world.plan.scalar(late) == 0
    other.commit()

    await world.run(TRAINING)

    assert world.plan.scalar(late) == 1


def taken_over(world: World) -> tuple[list[tuple[str, object]], object]:
    """Return the companies as read, and the position of the extraction."""
    rows = world.plan.sql("select name, updated_at from recommender.businesses order by 1")
    watermark = world.plan.scalar(
        "select watermark from headgate.v_asset_states where operation = 'noblestride_businesses'"
    )
    return [(x["name"], x["updated_at"]) for x in rows], watermark
