"""Calls in any order, by planners, runners, operators and clocks: the ledger balances after each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import psycopg
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from tests.attacks.form import SEED, either, tell
from tests.attacks.lives import Model, Token
from tests.db.toy import Toy
from tests.plan import Row

PIPELINES = {"plain": ("a", "b"), "library": ("west", "east", "sum")}
RUNNERS = st.sampled_from(("w1", "w2", "w3"))
PIPELINE = st.sampled_from(tuple(PIPELINES))
PICK = st.integers(0, 99)
BLOCKS: dict[str, dict[str, Any]] = {
    "429": {"until": "retry_after", "seconds": 90, "reason": "too fast"},
    "402": {"until": "reset", "reason": "used up"},
    "401": {"until": "execution", "reason": "the token is refused"},
    "maintenance": {"until": "for", "seconds": 3600, "reason": "closed for an hour"},
}
POISON = ("22012", "23505", "P0001", "HG008")
TROUBLE = ("40001", "53100")
CALM = "update headgate.providers set quota = 45 where name = 'shop'"
ENDED = "select status, finished_at from headgate.process_executions where run_id = %(run)s"
OVER = ENDED + " and finished_at is not null"


class AnyOrder(RuleBasedStateMachine):
    """One warm connection; each example is a transaction that is rolled back."""

    connection: ClassVar[Connection[DictRow]]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.toy = Toy(self.connection)
        self.model = Model()
        self.runs = 0
        self.by_themselves = set[str]()
        self.is_broken = False

    # ------------------------------------------------------------------ helpers

    def attempt(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Perform an action; an error of Headgate is an answer and changes nothing, any other is a fault."""
        AnyOrder.steps += 1
        self.is_broken = True
        answer: Any
        try:
            with self.connection.transaction():
                answer = what(*given, **named)
        except psycopg.Error as exc:
            assert (exc.sqlstate or "").startswith("HG"), f"{exc.sqlstate}: {exc}"
            assert exc.diag.message_hint, f"no hint: {exc}"
            answer = exc
        self.is_broken = False
        return answer

    def call(self, function: str, **arguments: Any) -> Any:
        """Call a function that may reject the call."""
        return self.attempt(self.toy.call, function, **arguments)

    def run_of(self, pipeline: str, pick: int) -> str:
        """Choose one of a pipeline's runs, most often the latest."""
        runs = [x for (name, x) in sorted(self.model.open | self.model.over) if name == pipeline]
        return sorted(runs)[-1 - (pick % len(runs) if pick > 70 else 0)] if runs else "none"

    def token(self, pick: int) -> Token:
        """Choose one of the leases held."""
        held = list(self.model.held.values())
        return held[pick % len(held)]

    @property
    def midnight(self) -> datetime:
        """Return when the provider's window opened."""
        return self.toy.now.replace(hour=0, minute=0, second=0, microsecond=0)

    def register(self, rows: Sequence[Row] | psycopg.Error, runner: str) -> None:
        """Record what was claimed."""
        if isinstance(rows, psycopg.Error):
            return
        for row in rows:
            if row["chunk_id"] is None:
                continue
            if row["provider"] == "shop":
                until = self.model.blocked_until
                assert until is None or self.toy.now >= until, (
                    f"claimed of a blocked provider: {row}"
                )
            self.model.claimed(row, runner, self.midnight)

    def is_valid(self, token: Token) -> bool:
        """Return whether a late lease, or one of a run that has ended itself, is still valid.

        A run that ends itself takes the leases of its steps; a run cancelled by an operator leaves them.
        """
        ends_itself = token.run_id in self.by_themselves
        if ends_itself and self.toy.sql(OVER, run=token.run_id) and not self.is_held(token):
            token.is_late = True
        return not token.is_late or self.is_held(token)

    def is_held(self, token: Token) -> bool:
        """Return whether the chunk is still leased under this token."""
        return bool(
            self.toy.scalar(
                "select count(*) from headgate.chunks where chunk_id = %(chunk_id)s"
                " and lease_no = %(lease_no)s and runner = %(runner)s and state = 'leased'",
                chunk_id=token.chunk_id,
                lease_no=token.lease_no,
                runner=token.runner,
            )
        )

    # ---------------------------------------------------------------- the planner

    @initialize()
    def a_small_world(self) -> None:
        self.toy.sql(CALM)
        for operation in ("look", "open", "history", "update", "sum"):
            self.toy.tune(operation, chunk_size=4, max_attempts=2)
        self.toy.add(7)
        self.toy.add(5, "B")
        self.toy.add(2, "W", "books")

    @rule(pipeline=PIPELINE, by_itself=st.booleans())
    def start(self, pipeline: str, by_itself: bool) -> None:
        self.runs += 1
        run_id = f"r{self.runs:02}"
        function = "run_pipeline" if by_itself else "start_execution"
        answer = self.call(function, p_pipeline=pipeline, p_run_id=run_id)
        is_open = any(name == pipeline for name, _ in self.model.open)
        if isinstance(answer, psycopg.Error):
            assert answer.sqlstate in ("HG011", "HG013")
            assert is_open or pipeline in self.model.paused
        else:
            assert pipeline not in self.model.paused
            self.model.open.add((pipeline, run_id))
            if by_itself:
                self.by_themselves.add(run_id)

    @rule(pipeline=PIPELINE, pick=PICK)
    def discover(self, pipeline: str, pick: int) -> None:
        self.call("discover_delta", p_pipeline=pipeline, p_run_id=self.run_of(pipeline, pick))

    @rule(pipeline=PIPELINE, pick=PICK)
    def check(self, pipeline: str, pick: int) -> None:
        self.call("check_quota", p_pipeline=pipeline, p_run_id=self.run_of(pipeline, pick))

    @rule(pipeline=PIPELINE, pick=PICK, attempt=st.sampled_from((1, 1, 1, 2, 3)))
    def enqueue(self, pipeline: str, pick: int, attempt: int) -> None:
        run_id, steps = self.run_of(pipeline, pick), PIPELINES[pipeline]
        step = steps[pick % len(steps)]
        names = {"p_pipeline": pipeline, "p_run_id": run_id}
        self.call("enqueue_step", **names, p_step=step, p_attempt=attempt)
        self.look_again(pipeline, run_id)

    # ---------------------------------------------------------------- the runners

    @rule(runner=RUNNERS, chunks=st.integers(0, 3))
    def claim(self, runner: str, chunks: int) -> None:
        self.register(self.attempt(self.toy.claim, runner, chunks), runner)

    @precondition(lambda self: self.model.held)
    @rule(
        pick=PICK,
        outcomes=st.lists(
            st.sampled_from(
                ("success", "success", "retry", "failed", "deferred", "unsent", "skipped")
            ),
            min_size=1,
            max_size=4,
        ),
        fault=st.sampled_from(("item", "provider", "internal", "quota")),
        block=st.sampled_from((None, None, None, None, *BLOCKS)),
        poison=st.sampled_from((None, None, None, *POISON)),
        part=st.integers(0, 15),
        claims=st.sampled_from((0, 0, 1, 2)),
    )
    def complete(
        self, pick: int, outcomes: list[str], fault: str, block: str | None,
        poison: str | None, part: int, claims: int,
    ) -> None:  # fmt: skip
        token = self.token(pick)
        assets = [x for n, x in enumerate(token.asset_ids) if part == 0 or part & 1 << n % 4]
        jobs = [(asset, outcomes[n % len(outcomes)]) for n, asset in enumerate(assets)]
        bad = assets[-1] if assets and poison and jobs[-1][1] == "success" else None
        self.report(token, jobs, fault, block, {bad: poison} if bad else {}, claims)

    @precondition(lambda self: self.model.held)
    @rule(pick=PICK, code=st.sampled_from(TROUBLE))
    def complete_while_the_database_is_in_trouble(self, pick: int, code: str) -> None:
        token = self.token(pick)
        if not self.is_valid(token):
            return
        try:
            with self.connection.transaction():
                self.toy.complete(token.row, runner=token.runner, says={"raise": code})
        except psycopg.Error as exc:
            assert exc.sqlstate == code
        else:
            raise AssertionError(f"{code} was swallowed")

    @precondition(lambda self: self.model.superseded)
    @rule(pick=PICK, outcome=st.sampled_from(("success", "retry", "unsent")))
    def complete_what_is_lost(self, pick: int, outcome: str) -> None:
        old = self.model.superseded[pick % len(self.model.superseded)]
        with self.toy.unchanged():
            answer = self.attempt(
                self.toy.complete, old.row, outcome, runner=old.runner,
                block=BLOCKS["402"], p_claim=2,
            )  # fmt: skip
            assert isinstance(answer, psycopg.Error) and answer.sqlstate == "HG012"
            for function in ("extend_leases", "release_jobs"):
                assert self.lease_call(function, old) == []

    @precondition(lambda self: self.model.held)
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        token = self.token(pick)
        is_valid = self.is_valid(token)
        rows = self.lease_call("release_jobs", token)
        assert len(rows) == is_valid
        if is_valid and not token.is_late:
            self.model.spent[token.window] -= token.unit * len(token.asset_ids)
        self.model.lost(token)

    @precondition(lambda self: self.model.held)
    @rule(pick=PICK)
    def extend(self, pick: int) -> None:
        token = self.token(pick)
        is_valid = self.is_valid(token)
        assert len(self.lease_call("extend_leases", token)) == is_valid
        token.is_late = token.is_late and not is_valid

    @precondition(lambda self: self.model.held)
    @rule(pick=PICK)
    def expire(self, pick: int) -> None:
        token = self.token(pick)
        if self.is_valid(token):
            self.toy.expire(token.row)
        token.is_late = True

    @precondition(lambda self: self.model.held)
    @rule(runner=RUNNERS)
    def all_runners_die(self, runner: str) -> None:
        for token in self.model.held.values():
            if self.is_valid(token):
                self.toy.expire(token.row)
            token.is_late = True
        self.register(self.attempt(self.toy.claim, runner, 3), runner)

    def report(
        self,
        token: Token,
        jobs: Sequence[tuple[int, str]],
        fault: str = "item",
        block: str | None = None,
        poison: dict[int, str | None] | None = None,
        claims: int = 0,
    ) -> None:
        """Hand in results as a runner does, each twice, together with a result for somebody else's job."""
        poison, is_valid = poison or {}, self.is_valid(token)
        requests = {x: 0 if outcome == "unsent" else 1 for x, outcome in jobs}
        twice = [*jobs, *((x, "failed") for x, _ in jobs), (-1, "success")]
        answer = self.call(
            "complete_jobs",
            p_runner=token.runner,
            p_chunk_id=token.chunk_id,
            p_lease_no=token.lease_no,
            p_asset_ids=[x for x, _ in twice],
            p_outcomes=[outcome for _, outcome in twice],
            p_faults=[fault] * len(twice),
            p_payloads=[json.dumps({"raise": poison[x]} if x in poison else {}) for x, _ in twice],
            p_request_counts=[requests.get(x, 1) for x, _ in twice],
            p_block=Jsonb(BLOCKS[block]) if block else None,
            p_claim=claims,
        )
        if isinstance(answer, psycopg.Error):
            assert answer.sqlstate == "HG012" and not is_valid, f"{answer}, of {token}"
            return self.model.lost(token)
        assert is_valid, f"a lost lease was taken: {token}"
        for asset, outcome in jobs:
            token.asset_ids.remove(asset)
            if outcome == "success" and asset not in poison:
                self.model.effects[asset, token.operation] += 1
            if outcome == "unsent" and not token.is_late:
                self.model.spent[token.window] -= token.unit
        if not token.asset_ids:
            del self.model.held[token.chunk_id]
        self.note_block(token, block)
        self.register(answer, token.runner)
        return None

    def note_block(self, token: Token, block: str | None) -> None:
        """Record until when a provider is blocked."""
        tomorrow = self.midnight + timedelta(days=1)
        until: datetime | None = None
        if token.operation == "sum" or block in (None, "401"):
            return
        if block == "402":
            until = tomorrow if token.window == self.midnight else None
        elif block is not None:
            until = self.toy.now + timedelta(seconds=BLOCKS[block]["seconds"])
        if until is not None:
            self.model.blocked_until = max(until, self.model.blocked_until or until)

    def lease_call(self, function: str, token: Token) -> list[Row]:
        """Call one of the functions that take tokens."""
        tokens = {"p_chunk_ids": [token.chunk_id], "p_lease_nos": [token.lease_no]}
        answer: list[Row] = self.call(function, p_runner=token.runner, **tokens)
        return answer

    # -------------------------------------------------------------- the operator

    @rule(pipeline=PIPELINE)
    def pause(self, pipeline: str) -> None:
        self.call("pause_pipeline", p_pipeline=pipeline)
        self.model.paused.add(pipeline)

    @rule(pipeline=PIPELINE)
    def resume(self, pipeline: str) -> None:
        self.call("resume_pipeline", p_pipeline=pipeline)
        self.model.paused.discard(pipeline)

    @rule(pipeline=PIPELINE, pick=PICK)
    def cancel(self, pipeline: str, pick: int) -> None:
        run_id = self.run_of(pipeline, pick)
        if not isinstance(
            self.call("cancel_execution", p_pipeline=pipeline, p_run_id=run_id), psycopg.Error
        ):
            self.model.ended(pipeline, run_id)

    @rule(pipeline=PIPELINE, pick=PICK)
    def finalize(self, pipeline: str, pick: int) -> None:
        run_id = self.run_of(pipeline, pick)
        was_open = (pipeline, run_id) in self.model.open
        if isinstance(
            self.call("finalize_execution", p_pipeline=pipeline, p_run_id=run_id), psycopg.Error
        ):
            return
        self.model.ended(pipeline, run_id)
        for token in list(self.model.held.values()):
            if was_open and (token.pipeline, token.run_id) == (pipeline, run_id):
                self.model.lost(token)

    @rule(pipeline=PIPELINE, pick=PICK, one_step=st.booleans())
    def retry_failed(self, pipeline: str, pick: int, one_step: bool) -> None:
        run_id, steps = self.run_of(pipeline, pick), PIPELINES[pipeline]
        step = {"p_step": steps[pick % len(steps)]} if one_step else {}
        self.call("retry_failed", p_pipeline=pipeline, p_run_id=run_id, **step)
        self.look_again(pipeline, run_id)

    @rule(pipeline=PIPELINE, pick=PICK, status=st.sampled_from((None, "skipped", "succeeded")))
    def mark_step(self, pipeline: str, pick: int, status: str | None) -> None:
        """Skip or mark a step; if the step had ended, its run may continue after it."""
        run_id, steps = self.run_of(pipeline, pick), PIPELINES[pipeline]
        names = {"p_pipeline": pipeline, "p_run_id": run_id, "p_step": steps[pick % len(steps)]}
        if status is None:
            self.call("skip_step", **names)
        else:
            self.call("mark_step", **names, p_status=status)
        self.look_again(pipeline, run_id)

    @rule(pipeline=PIPELINE, pick=PICK, status=st.sampled_from(("succeeded", "failed")))
    def report_step(self, pipeline: str, pick: int, status: str) -> None:
        """Report the function step as Airflow does, also after the end of its run."""
        run_id = self.run_of(pipeline, pick)
        names = {"p_pipeline": pipeline, "p_run_id": run_id, "p_step": "quota"}
        self.call("report_step", **names, p_status=status)
        self.look_again(pipeline, run_id)

    @rule(pick=PICK, changes=st.sampled_from((
        {"quota": 20}, {"quota": 45}, {"quota": 500}, {"requests_per_minute": 10},
        {"requests_per_minute": None}, {"breaker_failures": 3}, {"burst": 3},
    )))  # fmt: skip
    def set_provider(self, pick: int, changes: dict[str, Any]) -> None:
        assert not isinstance(
            self.call("set_provider", p_provider="shop", p_changes=changes), psycopg.Error
        )

    @rule()
    def open_the_provider(self) -> None:
        self.call("set_provider", p_provider="shop", p_changes={"blocked_until": None})
        self.model.blocked_until = None

    @rule(reported=st.integers(0, 60))
    def reconcile(self, reported: int) -> None:
        day = {"p_reported_on": self.toy.now.date()}
        self.call("reconcile_quota", p_provider="shop", p_reported=reported, **day)

    @rule(pick=PICK, is_active=st.booleans())
    def change_an_asset(self, pick: int, is_active: bool) -> None:
        assets = self.toy.sql("select asset_id from headgate.assets order by asset_id")
        asset = {"p_asset_id": assets[pick % len(assets)]["asset_id"]}
        if pick % 3:
            self.call("reset_asset", **asset)
        else:
            self.call("set_asset_active", **asset, p_is_active=is_active)

    @rule(group=st.sampled_from("AB"), first=st.integers(7, 12))
    def add_an_asset(self, group: str, first: int) -> None:
        self.toy.add(1, group, first=first)

    # ------------------------------------------------------------ time and decay

    @rule(minutes=st.sampled_from((1, 3, 20, 90, 7 * 60)))
    def later(self, minutes: int) -> None:
        self.toy.later(minutes=minutes)

    @rule()
    def the_window_turns(self) -> None:
        self.toy.at(self.midnight + timedelta(days=1, seconds=90))

    @rule(pick=PICK)
    def a_message_is_lost(self, pick: int) -> None:
        chunks = [x for x in self.toy.chunks("queued") if x["msg_id"] is not None]
        if chunks:
            chunk = chunks[pick % len(chunks)]
            self.call("pgmq.delete", queue_name=chunk["queue"], msg_id=chunk["msg_id"])
            for _ in range(3):  # a sweep sends it again, when it has nothing else to do
                self.toy.execution(*self.execution_of(chunk))

    @rule(message=st.sampled_from(('{"chunk_id": 999999}', '{"chunk_id": "x"}', "[]", "null")))
    def a_message_of_nobody(self, message: str) -> None:
        self.toy.sql("select pgmq.send('shop_normal', %(message)s::jsonb)", message=message)
        self.register(self.attempt(self.toy.claim, "w1", 1), "w1")
        self.toy.sql("delete from pgmq.q_shop_normal where not message ? 'chunk_id'")
        self.toy.sql(
            "delete from pgmq.q_shop_normal where message ->> 'chunk_id' in ('999999', 'x')"
        )

    def execution_of(self, chunk: Row) -> tuple[str, str]:
        """Return run and pipeline of a chunk."""
        (row,) = self.toy.sql(
            "select e.run_id, p.name from headgate.process_executions as e"
            " join headgate.pipelines as p using (pipeline_id) where e.execution_id = %(id)s",
            id=chunk["execution_id"],
        )
        return row["run_id"], row["name"]

    def look_again(self, pipeline: str, run_id: str) -> None:
        """Record whether a new round has reopened a run."""
        rows = self.toy.sql(ENDED + " and finished_at is null", run=run_id)
        if rows and (pipeline, run_id) in self.model.over:
            self.model.over.discard((pipeline, run_id))
            self.model.open.add((pipeline, run_id))

    # ------------------------------------------------------------------- proving

    @invariant()
    def the_ledger_balances(self) -> None:
        self.is_broken = True
        self.toy.assert_ledger_balances()
        windows = self.toy.sql(
            "select w.opened_at, w.spent from headgate.quota_windows as w"
            " join headgate.providers as p using (provider_id) where p.name = 'shop'"
        )
        spent = {x["opened_at"]: x["spent"] for x in windows if x["spent"]}
        assert spent == {x: y for x, y in self.model.spent.items() if y}
        answers = self.toy.sql("select asset_id, operation, times from toy.answers")
        effects = {(x["asset_id"], x["operation"]): x["times"] for x in answers}
        assert effects == dict(self.model.effects)
        self.is_broken = False

    def teardown(self) -> None:
        """Check that, whatever happened, all work ends once everything is unblocked, and nothing is stuck."""
        try:
            if not self.is_broken:
                self.settle()
        finally:
            self.connection.rollback()

    def settle(self) -> None:
        self.open_the_provider()
        for pipeline in PIPELINES:
            self.resume(pipeline)
        self.toy.provider(quota=100_000, requests_per_minute=None)
        for _ in range(4):
            self.the_window_turns()
            for token in list(self.model.held.values()):
                self.toy.expire(token.row)
                token.is_late = True
            self.work_off()
        self.the_ledger_balances()
        left = self.toy.chunks("queued") + self.toy.chunks("leased") + self.toy.chunks("parked")
        assert left == [], f"stuck: {left}"
        for pipeline, run_id in sorted(self.model.open):
            self.call("finalize_execution", p_pipeline=pipeline, p_run_id=run_id)
        assert self.toy.chunks() == []
        self.the_ledger_balances()

    def work_off(self) -> None:
        """Claim and complete until there is no more work."""
        for _ in range(200):
            rows = self.toy.claim("w9", 5)
            if not rows:
                return
            self.register(rows, "w9")
            for row in rows:
                token = self.model.held[row["chunk_id"]]
                self.report(token, [(x, "success") for x in token.asset_ids])
        raise AssertionError("the work does not end")


def test_any_order_of_calls_keeps_the_books(_warm: Connection[DictRow]):
    AnyOrder.connection = _warm
    AnyOrder.steps = 0
    run_machine(
        seed(SEED)(AnyOrder),
        settings=settings(
            max_examples=either(15, 400),
            stateful_step_count=either(50, 60),
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    tell(
        f"any order: {either(15, 400)} lives, {AnyOrder.steps:,} calls, the books balance after each"
    )
