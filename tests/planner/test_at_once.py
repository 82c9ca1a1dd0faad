"""Concurrent planners on overlapping pipelines and one window: never above quota, no pair twice, no endless wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from itertools import permutations
from typing import Any

import psycopg
import pytest

from tests.attacks.form import dice, either
from tests.db.conftest import Toys
from tests.db.together import at_once, meanwhile, waits
from tests.db.toy import Toy
from tests.planner.world import answer, arrange, loaded

# Each pipeline shares some groups with the others; the last has no step that plans it in advance.
PIPELINES: dict[str, list[str] | None] = {"west": ["W"], "both": ["W", "E"], "all": None}
OPERATIONS = ["open", "history", "update"]
ROUNDS = either(12, 300)
PIPELINE = """
with new as (insert into headgate.pipelines (name) values (%(name)s) returning pipeline_id)
insert into headgate.pipeline_steps (pipeline_id, step, position, kind, function, operations, group_keys)
select n.pipeline_id, s.step, s.position, s.kind, s.function, s.operations, s.groups
from new as n
cross join (values
    ('quota', 1, 'function', 'headgate.check_quota', null::text[], null::text[]),
    ('work', 2, 'fan_out', null, %(operations)s::text[], %(groups)s::text[])
) as s (step, position, kind, function, operations, groups)
where s.kind = 'fan_out' or %(is_planned)s
"""
PLANNED = """
select c.operation_id, u.asset_id, c.execution_id
from headgate.chunks as c cross join unnest(c.asset_ids) as u (asset_id)
union all
select d.operation_id, d.asset_id, d.execution_id from headgate.asset_processing_details as d
"""
TWICE = f"select operation_id, asset_id from ({PLANNED}) as p group by 1, 2 having count(*) > 1"
HELD = "select count(*) from headgate.asset_processing_state where chunk_id is not null"
QUOTA = 60


@pytest.fixture
def library(toys: Toys) -> Toys:
    """Add new books, books with a missing session, and three pipelines that need them all."""
    one = toys.one
    arrange(one)
    loaded(one, 12, "W", "2024-03-01")
    loaded(one, 6, "E", "2024-03-01")
    one.add(4, "W", "books", first=50, calendar="X", weight=3)
    one.add(3, "E", "books", first=50, calendar="X", weight=2)
    one.provider(quota=QUOTA)
    for name, groups in PIPELINES.items():
        one.sql(
            PIPELINE,
            name=name,
            groups=groups,
            operations=OPERATIONS,
            is_planned=name != "all",
        )
    one.sql("select headgate.check_plans()")
    return toys


def plan(toy: Toy, name: str) -> Any:
    """Plan one of the pipelines, each in its own way."""
    if name == "all":
        return toy.enqueue("work", "r1", name)
    return toy.check("r1", name)


@pytest.mark.parametrize("order", list(permutations(PIPELINES)), ids=" ".join)
@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_a_later_planner_waits_and_plans_the_rest(
    library: Toys, order: tuple[str, ...], ending: str
):
    sessions = [library.another(autocommit=False) for _ in order]
    for name in order:
        library.one.start("r1", name)

    plan(sessions[0], order[0])  # its transaction stays open, with the planner's lock
    one, (first, then) = library.one, sessions[1:]
    with meanwhile(partial(_answer, first, plan, order[1]), first, one) as second:
        assert waits(first, one, second)
        with meanwhile(partial(_answer, then, plan, order[2]), then, one) as third:
            assert waits(then, one, third)
            getattr(sessions[0].connection, ending)()

    assert not [x for x in (*second, *third) if isinstance(x, Exception)]
    check(library.one)
    planned = library.one.scalar(f"select count(distinct execution_id) from ({PLANNED}) as p")
    reserved, spent = library.one.units()
    assert (spent, planned >= 1) == (0, True)
    assert QUOTA - 11 < reserved <= QUOTA, "what one left, the next took"
    if ending == "rollback":
        left = library.one.sql(f"{PLANNED} limit 1000")
        ids = library.one.sql(
            "select e.execution_id from headgate.process_executions as e"
            " join headgate.pipelines as p using (pipeline_id) where p.name = %(name)s",
            name=order[0],
        )
        assert ids[0]["execution_id"] not in {x["execution_id"] for x in left}


def test_at_random_they_never_exceed_the_window_and_plan_no_pair_twice(library: Toys):
    throws = dice("planners")
    sessions = {name: library.another() for name in PIPELINES}
    runners = [library.another() for _ in range(2)]
    for number in range(ROUNDS):
        _renew(library.one, quota=throws.choice([0, 7, 16, 30, 60, 200]))
        jobs: list[Callable[[], Any]] = [
            partial(_run, session, name, throws.random() / 50) for name, session in sessions.items()
        ]
        jobs += [partial(_work, x, f"w{n}", throws.randrange(4)) for n, x in enumerate(runners)]
        if throws.random() < 0.3:
            jobs.append(partial(library.one.provider, quota=throws.choice([5, 40])))
        throws.shuffle(jobs)
        answers = at_once(*jobs)

        assert not [x for x in answers if isinstance(x, Exception)], f"round {number}: {answers}"
        check(library.one)


def check(toy: Toy) -> None:
    """Check that nothing exceeds the window, no pair is planned twice, and the ledger balances."""
    assert toy.sql(TWICE) == []
    for window in toy.sql("select * from headgate.quota_windows"):
        assert window["reserved"] + window["spent"] <= window["usable"]
    pairs = toy.scalar("select coalesce(sum(cardinality(asset_ids)), 0) from headgate.chunks")
    assert pairs == toy.scalar(HELD)
    toy.assert_ledger_balances()


def _run(toy: Toy, name: str, pause: float) -> None:
    """Start, plan and send one of the pipelines."""
    toy.start("r1", name)
    time.sleep(pause)
    plan(toy, name)
    toy.enqueue("work", "r1", name)


def _work(toy: Toy, runner: str, times: int) -> None:
    """Claim and complete meanwhile."""
    for _ in range(times):
        for chunk in toy.claim(runner, 2):
            answer(toy, chunk, runner=runner)


def _renew(toy: Toy, quota: int) -> None:
    """End the previous runs; finished work is due again."""
    for name in PIPELINES:
        if toy.sql(
            "select from headgate.process_executions as e join headgate.pipelines as p"
            " using (pipeline_id) where p.name = %(name)s and e.finished_at is null",
            name=name,
        ):
            toy.finish("r1", name)
    while chunks := toy.chunks():
        toy.expire(*[x for x in chunks if x["state"] == "leased"])
        toy.claim("w9", 20)
    toy.sql("truncate headgate.process_executions, headgate.asset_processing_details cascade")
    toy.sql("delete from headgate.quota_windows")
    toy.sql(
        "update headgate.asset_processing_state set next_due_at = %(now)s::timestamptz - interval '1 hour',"
        " watermark = '2024-03-01' where next_due_at is not null or watermark is not null",
        now=toy.now,
    )
    toy.provider(quota=quota)


def _answer(toy: Toy, does: Callable[[Toy, str], Any], name: str) -> Any:
    """Perform a call in a transaction of its own; an error is an answer."""
    try:
        with toy.connection.transaction():
            toy.at(toy.now)
            found = does(toy, name)
        toy.connection.commit()
        return found
    except psycopg.Error as exc:
        return exc
