"""Chunks without calls that a runner hands in together, in one commit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.db.toy import Toy
from tests.plan import Row

KEPT = "select operation, context ->> 'group_key' as group_key from toy.answers order by asset_id"
COUNT_CALLS = """
    create table toy.calls (jobs integer not null, group_key text);
    grant insert on toy.calls to headgate_plan_toy;
    create or replace function toy.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language plpgsql security definer
    set search_path = pg_catalog, pg_temp as $func$
    begin
        insert into toy.calls values (cardinality(p_asset_ids), p_context ->> 'group_key');
        if p_asset_ids && {bad}::bigint[] then
            raise exception using errcode = '22012', message = 'poison';
        end if;
        return query select u.*, '{status}', 1, null::timestamptz, null::text from unnest(p_asset_ids) as u;
    end;
    $func$;
"""
CALLS = "select jobs, group_key, count(*) as calls from toy.calls group by 1, 2 order by 1, 2"


@pytest.fixture
def chunks(toy: Toy) -> list[Row]:
    """Three chunks of ten, ten and five jobs of the step `all`, leased."""
    toy.add(20, universe="inners")
    toy.add(5, group="B", universe="inners")
    toy.begin("all", pipeline="within")
    return sorted(toy.claim(chunks=5), key=lambda x: x["chunk_id"])


def test_all_of_their_jobs_end_as_if_each_chunk_were_handed_in_alone(toy: Toy, chunks: list[Row]):
    assert [len(x["asset_ids"]) for x in chunks] == [10, 10, 5]

    assert toy.complete_together(chunks) == []

    assert (toy.endings(), toy.chunks()) == ({"success": 25}, [])
    assert toy.scalar("select count(*) from pgmq.q_local_normal") == 0
    step = toy.step("all", pipeline="within")
    assert (step["status"], step["succeeded"]) == ("succeeded", 25)
    states = toy.sql(
        "select distinct chunk_id, succeeded_at from headgate.asset_processing_state where succeeded_at is not null"
    )
    assert [tuple(x.values()) for x in states] == [(None, toy.now)]
    assert [x["group_key"] for x in toy.sql(KEPT)] == ["A"] * 20 + ["B"] * 5, "its own group's"


def test_the_ingest_function_gets_each_chunk_by_itself(toy: Toy, chunks: list[Row]):
    toy.sql(COUNT_CALLS.format(bad="'{}'", status="success"))

    toy.complete_together(chunks)

    assert [tuple(x.values()) for x in toy.sql(CALLS)] == [(5, "B", 1), (10, "A", 2)]


def test_poison_harms_only_its_own_job(toy: Toy, chunks: list[Row]):
    bad = chunks[1]["asset_ids"][3]
    toy.sql(COUNT_CALLS.format(bad=f"array[{bad}]", status="success"))

    toy.complete_together(chunks)

    assert toy.endings() == {"success": 24, "failed": 1}
    (row,) = toy.details(bad)
    assert (row["status"], row["error"]) == ("failed", "poison")


def test_jobs_that_are_tried_again_stay_with_their_group(toy: Toy, chunks: list[Row]):
    toy.sql(COUNT_CALLS.format(bad="'{}'", status="retry"))

    toy.complete_together(chunks)

    parked = toy.chunks("parked")
    assert sorted((x["group_key"], len(x["asset_ids"])) for x in parked) == [
        ("A", 10),
        ("A", 10),
        ("B", 5),
    ]
    assert toy.endings() == {}


def test_the_next_chunks_are_claimed_in_the_same_breath(toy: Toy):
    toy.add(45, universe="inners")
    toy.begin("all", pipeline="within")

    claimed = toy.complete_together(toy.claim(chunks=2), p_claim=5)

    assert sorted(len(x["asset_ids"]) for x in claimed) == [5, 10, 10]


@pytest.mark.parametrize(
    "change",
    [{"lease_no": 7}, {"runner": "w2"}, {"state": "queued", "runner": None, "leased_until": None}],
    ids=lambda x: next(iter(x)),
)
def test_if_one_lease_is_lost_nothing_is_changed(toy: Toy, chunks: list[Row], change: Row):
    columns = ", ".join(f"{x} = %({x})s" for x in change)
    toy.sql(
        f"update headgate.chunks set {columns} where chunk_id = %(id)s",
        id=chunks[2]["chunk_id"],
        **change,
    )
    with toy.unchanged(), toy.refused("HG012", "1 of 3 leases", "each chunk alone"):
        toy.complete_together(chunks)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(lambda ids: ids[:-1], id="one job is missing"),
        pytest.param(lambda ids: [*ids, ids[0]], id="one job comes twice"),
        pytest.param(lambda ids: ids[::-1], id="the order is another"),
    ],
)
def test_a_report_that_has_not_each_job_once_is_refused(toy: Toy, chunks: list[Row], given: Any):
    asset_ids = given([x for chunk in chunks for x in chunk["asset_ids"]])
    with toy.unchanged(), toy.refused("HG008", "several chunks"):
        toy.complete_together(
            chunks, p_asset_ids=asset_ids, p_outcomes=["success"] * len(asset_ids)
        )


def test_chunks_with_calls_are_handed_in_alone(toy: Toy):
    toy.add(20)
    toy.begin()
    chunks = toy.claim(chunks=2)
    with toy.unchanged(), toy.refused("HG008", "cannot be handed in together"):
        toy.complete_together(chunks)


def test_chunks_of_different_attempts_are_not_handed_in_together(toy: Toy, chunks: list[Row]):
    toy.sql(
        "update headgate.chunks set attempt = 2 where chunk_id = %(id)s", id=chunks[2]["chunk_id"]
    )
    with toy.unchanged(), toy.refused("HG008", "of one step, operation and attempt"):
        toy.complete_together(chunks)
