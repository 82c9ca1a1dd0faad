"""Two and three sessions, pair by pair and at random: no session waits for ever, and the lock order holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import cycle, product
from typing import Any, LiteralString

import psycopg
import pytest

from tests.attacks.form import SEED, dice, either, tell
from tests.db.conftest import Toys
from tests.db.together import at_once, meanwhile, waits
from tests.db.toy import Toy
from tests.plan import Row

RUN = {"p_pipeline": "plain", "p_run_id": "r1"}
CALLED: Row = {"path": "/look/{asset.code}", "ingest_function": "toy.keep", "units": 1}
IDLE: Row = {"path": None, "ingest_function": None, "units": 0}
ROUNDS = either(150, 10_000)
OPEN = """
select e.run_id, p.name
from headgate.process_executions as e join headgate.pipelines as p using (pipeline_id)
where e.finished_at is null
"""
FORGOTTEN: tuple[LiteralString, ...] = (
    "asset_processing_details",
    "planner_deferrals",
    "orders",
    "step_counts",
    "process_steps",
    "process_executions",
    "quota_windows",
)


class World:
    """The plain pipeline in progress, set up afresh for each case: planned, queued, leased, parked.

    In every second case its operation makes no calls.
    """

    def __init__(self, toys: Toys) -> None:
        self.toys = toys
        self.one = toys.one
        self.assets = self.one.add(10) + self.one.add(3, "B")
        self.one.tune(chunk_size=2, due_every="1 second")
        self.one.provider(quota=1_000_000, requests_per_minute=100_000)
        self.leases: list[Row] = []
        self.kinds = cycle((CALLED, IDLE))

    def renew(self) -> None:
        """End the previous run, and start another."""
        one = self.one
        one.call("resume_pipeline", p_pipeline="plain")
        one.provider(blocked_until=None)
        for chunk in one.chunks("leased"):  # of a cancelled run
            one.expire(chunk)
        for row in one.sql(OPEN):
            one.finish(row["run_id"], row["name"])
        while one.chunks():
            one.claim("w9", 20)
        for row in one.sql("select asset_id from headgate.assets where not is_active"):
            one.call("set_asset_active", p_asset_id=row["asset_id"], p_is_active=True)
        for table in FORGOTTEN:  # truncating would make every session plan its statements again
            one.sql(f"delete from headgate.{table}")
        one.tune(**next(self.kinds))
        one.later(minutes=5)
        one.start()
        one.check()
        one.enqueue()
        self.leases = one.claim("w1", 2)
        parked, dead = one.claim("w1", 2)
        one.complete(parked, "retry", fault="provider")
        one.expire(dead)

    def fail(self) -> None:
        """Let all running jobs fail: the steps have ended, and may open another round."""
        one = self.one
        one.later(minutes=1)
        one.enqueue("b")
        for lease in self.leases:
            one.complete(lease, "failed")
        while claimed := one.claim("w1", 9):
            for chunk in claimed:
                one.complete(chunk, "failed")

    @property
    def actions(self) -> dict[str, Callable[[Toy], Any]]:
        """Return the actions that are possible now, by the name of the function."""
        first, second = self.leases
        tokens = {
            "p_chunk_ids": [x["chunk_id"] for x in self.leases],
            "p_lease_nos": [x["lease_no"] for x in self.leases],
        }
        asset = {"p_asset_id": first["asset_ids"][0]}
        step = {**RUN, "p_step": "a"}
        return {
            "start_execution": lambda t: t.start("r2", "library"),
            "discover_delta": lambda t: t.call("discover_delta", **RUN),
            "check_quota": lambda t: t.call("check_quota", **RUN),
            "enqueue_step": lambda t: t.call("enqueue_step", **RUN, p_step="b"),
            "enqueue_step (round)": lambda t: t.enqueue("a", p_attempt=2),
            "claim_jobs": lambda t: t.ask("w2", 2),
            "advance_executions": lambda t: t.call("advance_executions"),
            "complete_jobs": lambda t: t.complete(first, p_claim=1),
            "complete_jobs (retry)": lambda t: t.complete(second, "retry", fault="provider"),
            "complete_jobs (402)": lambda t: t.complete(
                second, "deferred", fault="quota", block={"until": "reset"}
            ),
            "complete_jobs (401)": lambda t: t.complete(
                second, "deferred", fault="internal", block={"until": "execution"}
            ),
            "extend_leases": lambda t: t.call("extend_leases", p_runner="w1", **tokens),
            "release_jobs": lambda t: t.call("release_jobs", p_runner="w1", **tokens),
            "step_status": lambda t: t.call("step_status", **step),
            "execution_status": lambda t: t.call("execution_status", **RUN),
            "finalize_execution": lambda t: t.call("finalize_execution", **RUN),
            "cancel_execution": lambda t: t.call("cancel_execution", **RUN),
            "retry_failed": lambda t: t.call("retry_failed", **RUN),
            "skip_step": lambda t: t.call("skip_step", **step),
            "mark_step": lambda t: t.call("mark_step", **step, p_status="succeeded"),
            "report_step": lambda t: t.call(
                "report_step", **RUN, p_step="quota", p_status="failed"
            ),
            "pause_pipeline": lambda t: t.call("pause_pipeline", p_pipeline="plain"),
            "resume_pipeline": lambda t: t.call("resume_pipeline", p_pipeline="plain"),
            "set_provider": lambda t: t.provider(quota=900_000),
            "set_provider (open)": lambda t: t.provider(blocked_until=None),
            "set_provider (operation)": lambda t: t.provider(
                operation="look", blocked_until=str(t.now)
            ),
            "reconcile_quota": lambda t: t.call(
                "reconcile_quota", p_provider="shop", p_reported=5, p_reported_on=t.now.date()
            ),
            "reset_asset": lambda t: t.call("reset_asset", **asset),
            "set_asset_active": lambda t: t.call("set_asset_active", **asset, p_is_active=False),
            "upsert_assets": lambda t: t.upsert([{"code": "A0", "group_key": "A", "weight": 2}]),
            "retain": lambda t: t.call("retain", p_keep="900 days"),
            "check_health": lambda t: t.call("check_health", **RUN),
        }


@pytest.fixture
def world(toys: Toys) -> World:
    return World(toys)


def test_each_pair_in_each_order_ends_with_an_answer(world: World):
    """The second call comes while the first one's transaction is still open."""
    first, second = world.toys.another(autocommit=False), world.toys.another()
    world.renew()
    pairs = list(product(world.actions, repeat=2))
    dice("pairs").shuffle(pairs)
    pairs = pairs[: either(60, len(pairs))]
    waited = Counter[bool]()
    for a, b in pairs:
        world.renew()
        actions = world.actions
        first.at(world.one.now)  # this opens its transaction
        second.at(world.one.now)
        _answer(first, actions[a])
        with meanwhile(partial(_answer, second, actions[b]), second, world.one) as answers:
            waited[waits(second, world.one, answers)] += 1
            first.connection.commit()
        assert _is_fine(answers), f"{b} during {a}: {answers}"
        world.one.assert_ledger_balances()
    tell(f"interleavings: {len(pairs)} pairs, of which {waited[True]} waited, none for ever")


def test_three_sessions_at_once_meet_no_deadlock_again_and_again(world: World):
    """A deadlock would be repeated by its caller; here each one counts as a fault."""
    throws = dice("rounds")
    sessions = [world.toys.another() for _ in range(3)]
    faults: Counter[str] = Counter()
    started = time.monotonic()
    for number in range(ROUNDS):
        if number % 8 == 0:
            world.renew()
        chosen = throws.sample(list(world.actions.items()), 3)
        for session in sessions:
            session.at(world.one.now)
        answers = at_once(
            *(partial(_answer, s, does) for s, (_, does) in zip(sessions, chosen, strict=True))
        )
        for answer in answers:
            if not _is_fine([answer]):
                faults[f"{' + '.join(x for x, _ in chosen)}: {answer}"] += 1
        if number % 10 == 0:
            world.one.assert_ledger_balances()
    assert not faults, f"seed {SEED}: {faults.most_common(20)}"
    rate = 3 * ROUNDS / (time.monotonic() - started)
    tell(f"interleavings: {ROUNDS:,} rounds of three sessions, {rate:.0f} calls/s, no deadlock")


# A session that waits for a row of one kind holds no row of a later kind.
ORDER: dict[str, LiteralString] = {
    "lock": "headgate.locks",
    "chunk": "headgate.chunks",
    "state": "headgate.asset_processing_state",
    "step": "headgate.process_steps",
    "breaker": "headgate.breakers",
    "rate limiter": "headgate.rate_limiters",
    "window": "headgate.quota_windows",
}


@pytest.mark.parametrize("kind", ORDER)
def test_a_session_that_waits_for_a_row_holds_no_row_of_a_later_kind(world: World, kind: str):
    holder, caller, witness = (world.toys.another(autocommit=False) for _ in range(3))
    later = list(ORDER)[list(ORDER).index(kind) + 1 :]
    waiting: list[str] = []
    for prepare in 2 * (world.renew, world.fail):
        prepare()
        for name, does in world.actions.items():  # each is rolled back: the world stays as it is
            for session in (holder, caller):
                session.at(world.one.now)  # this opens its transaction
            holder.connection.execute(f"select 1 from {ORDER[kind]} for update".encode())
            with meanwhile(partial(_answer, caller, does), caller, world.one) as answers:
                if waits(caller, world.one, answers):
                    waiting.append(name)
                    held = [x for x in later if _is_held(witness, ORDER[x])]
                    assert held == [], f"{name} waits for a {kind} and holds {held}"
                holder.connection.rollback()
            caller.connection.rollback()
            assert _is_fine(answers), f"{name}: {answers}"
    assert "claim_jobs" not in waiting or kind not in ("chunk", "step"), "claims skip, never wait"
    tell(
        f"order of locks: for a {kind} waited {len(waiting)} of {4 * len(world.actions)}, each in order"
    )


def _answer(toy: Toy, does: Callable[[Toy], Any]) -> Any:
    """Perform the call; an error of Headgate is an answer."""
    try:
        with toy.connection.transaction():
            return does(toy)
    except psycopg.Error as exc:
        return exc


def _is_fine(answers: list[Any]) -> bool:
    return bool(answers) and not any(
        isinstance(x, psycopg.Error) and not (x.sqlstate or "").startswith("HG") for x in answers
    )


def _is_held(witness: Toy, table: LiteralString) -> bool:
    """Return whether a session holds a row lock on a table that is stronger than a reference."""
    count = witness.connection.execute(
        f"select (select count(*) from {table}) > (select count(*) from ("
        f"select 1 from {table} for no key update skip locked) as free) as held".encode()
    ).fetchone()
    witness.connection.rollback()
    return bool(count and count["held"])
