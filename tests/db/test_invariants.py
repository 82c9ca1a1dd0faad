"""The ten invariants, attacked with SQL alone. The books are checked after every test as well (books.py)."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from headgate.migrate.run import migrate
from tests.db.conftest import Toys
from tests.db.together import at_once, meanwhile
from tests.db.toy import Toy
from tests.limits import PATIENCE
from tests.plan import Row

RETRYABLE = ("40001", "40P01")


class TestNeverAboveQuota:
    """1. Per window, reserved plus spent <= usable, with any number of planners and runners."""

    @pytest.mark.parametrize("change", ["reserved = usable - spent + 1", "spent = usable - reserved + 1",
                                        "usable = reserved + spent - 1", "reserved = -1"])  # fmt: skip
    def test_the_database_itself_refuses_more_than_the_quota(self, toy: Toy, change: str):
        toy.add(20)
        toy.begin()
        toy.claim()

        with pytest.raises(psycopg.errors.CheckViolation), toy.connection.transaction():
            toy.connection.execute(f"update headgate.quota_windows set {change}".encode())

    def test_planners_at_once_share_what_is_left(self, toys: Toys):
        toys.one.add(80)
        toys.one.add(20, "W", "books")
        plain, library = toys.another(), toys.another()
        plain.start()
        library.start("r1", "library")

        at_once(plain.check, lambda: library.check("r1", "library"))
        reserved, spent = toys.one.units()
        assert 90 <= reserved <= 100 and spent == 0

    def test_claims_at_once_take_each_chunk_once(self, toys: Toys):
        toys.one.tune(chunk_size=3)
        toys.one.add(60)
        toys.one.begin()
        runners = [toys.another() for _ in range(4)]

        def take(toy: Toy, name: str) -> list[Row]:
            return [x for _ in range(10) for x in toy.claim(name, 2)]

        taken = at_once(*(lambda t=t, n=n: take(t, f"w{n}") for n, t in enumerate(runners)))
        ids = [x["chunk_id"] for chunks in taken for x in chunks]
        assert len(ids) == len(set(ids)) == 20
        assert toys.one.units() == (0, 60)

    def test_second_deliveries_and_planners_at_once_stay_within_the_quota(self, toys: Toys):
        one = toys.one
        one.provider(quota=45)
        one.tune(chunk_size=5)
        one.add(30)
        one.add(10, "W", "books")
        one.begin()
        one.expire(*one.claim(chunks=6))  # 30 spent, 15 left
        other = toys.another()
        other.start("r1", "library")

        at_once(lambda: other.check("r1", "library"), lambda: toys.another().claim("w2", 6))
        one.drain()
        reserved, spent = one.units()
        assert reserved + spent <= 45

    def test_the_rate_is_shared_by_claims_at_once(self, toys: Toys):
        toys.one.provider(requests_per_minute=20, quota=1000)
        toys.one.tune(chunk_size=1)
        toys.one.add(60)
        toys.one.begin()
        runners = [toys.another() for _ in range(4)]

        got = at_once(*(lambda t=t, n=n: t.claim(f"w{n}", 15) for n, t in enumerate(runners)))
        starts = sorted(x["call"]["schedule"]["start_in"] for chunks in got for x in chunks)
        assert starts == [0], "one every three seconds, and times are granted two seconds ahead"
        assert toys.one.claim("w9", 20) == []


class TestNoLostWork:
    """2. Every planned job has one details row per round, or is in flight."""

    @pytest.mark.parametrize("when", ["plan", "send", "claim", "complete", "finalize"])
    def test_a_session_killed_in_mid_transaction_leaves_nothing_half_done(
        self, toys: Toys, when: str
    ):
        one, victim = toys.one, toys.another(autocommit=False)
        one.add(15)
        one.start()
        steps: dict[str, Callable[[Toy], Any]] = {
            "plan": lambda t: t.check(),
            "send": lambda t: t.enqueue(),
            "claim": lambda t: t.claim(),
            "complete": lambda t: t.complete(one.claim()[0] if t is victim else t.claim()[0]),
            "finalize": lambda t: t.finish(),
        }
        for name, step in steps.items():
            if name == when:
                break
            if name != "claim":
                step(one)
        before = one.snapshot() if when != "complete" else None
        steps[when](victim)
        one.sql("select pg_terminate_backend(%(pid)s)", pid=victim.connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            victim.connection.commit()

        assert before is None or one.snapshot() == before
        one.assert_ledger_balances()

    def test_a_job_parked_while_its_execution_is_cancelled_ends(self, toys: Toys):
        one, runner = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.begin()
        (chunk,) = one.claim()
        runner.complete(chunk, "retry", fault="provider")

        run = {"p_pipeline": "plain", "p_run_id": "r1"}
        with meanwhile(lambda: one.call("cancel_execution", **run), one, runner):
            runner.connection.commit()
        assert one.endings() == {"cancelled": 3}

    def test_a_job_whose_execution_is_cancelled_while_it_is_parked_ends(self, toys: Toys):
        one, operator = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.begin()
        (chunk,) = one.claim()
        operator.call("cancel_execution", p_pipeline="plain", p_run_id="r1")

        with meanwhile(lambda: one.complete(chunk, "retry", fault="provider"), one, operator):
            operator.connection.commit()
        assert one.chunks() == []
        assert set(one.endings()) <= {"cancelled", "deferred"}

    @pytest.mark.parametrize("how", ["finalize_execution", "cancel_execution"])
    def test_a_plan_made_while_its_execution_ends_ends_with_it(self, toys: Toys, how: str):
        one, planner = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.start()
        planner.enqueue()

        run = {"p_pipeline": "plain", "p_run_id": "r1"}
        with meanwhile(lambda: one.call(how, **run), one, planner):
            planner.connection.commit()
        assert one.chunks() == []
        assert sum(one.endings().values()) == 3

    @pytest.mark.parametrize("how", ["finalize_execution", "cancel_execution", "pause_pipeline"])
    def test_an_execution_that_ends_before_its_plan_is_not_planned(self, toys: Toys, how: str):
        one, operator = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.start()
        run = {} if how == "pause_pipeline" else {"p_run_id": "r1"}
        operator.call(how, p_pipeline="plain", **run)

        with meanwhile(one.enqueue, one, operator) as results:
            operator.connection.commit()
        assert results[0].sqlstate == ("HG013" if how == "pause_pipeline" else "HG014")
        assert one.chunks() == []

    def test_chunks_sent_while_their_pipeline_is_paused_are_not_claimed(self, toys: Toys):
        one, planner = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.start()
        one.check()
        planner.enqueue()

        with meanwhile(lambda: one.call("pause_pipeline", p_pipeline="plain"), one, planner):
            planner.connection.commit()
        assert one.claim() == []
        one.call("resume_pipeline", p_pipeline="plain")
        assert one.drain() == 3

    def test_two_runners_that_advance_at_once_do_not_end_what_runs(self, toys: Toys):
        one, slow, holder = toys.one, toys.another(), toys.another()
        one.add(3)
        one.call("run_pipeline", p_pipeline="plain", p_run_id="r1")
        # the second runner sees a ready step, but is too late for it
        one.sql(
            "alter function headgate._advanceable(timestamptz) rename to _advanceable_at_once;"
            "create function headgate._advanceable(p_now timestamptz)"
            " returns setof headgate.process_executions"
            " language plpgsql as $$ begin"
            " return query select * from headgate._advanceable_at_once(p_now);"
            " if current_setting('toy.is_slow', true) = 'true' then perform pg_advisory_xact_lock(7); end if;"
            " end $$"
        )
        slow.sql("set toy.is_slow = 'true'")
        holder.sql("select pg_advisory_lock(7)")
        with meanwhile(lambda: slow.value("advance_executions"), slow, one):
            one.advance()
            assert one.execution()["queued"] > 0
            holder.sql("select pg_advisory_unlock(7)")

        assert one.execution()["status"] == "running"
        assert one.drain() == 3


class TestExactlyOnce:
    """3. Effects exist once, whatever is repeated."""

    def times(self, toy: Toy) -> set[int]:
        """Return how often rows of the plan's own table were written."""
        return {x["times"] for x in toy.sql("select times from toy.answers")}

    def test_a_completion_whose_answer_was_lost_is_repeated_without_effect(self, toys: Toys):
        one = toys.one
        one.add(10)
        one.begin()
        (chunk,) = one.claim()
        one.complete(chunk)

        with one.unchanged(), one.refused("HG012"):
            one.complete(chunk)
        assert self.times(one) == {1}

    def test_two_completions_of_one_lease_at_once_count_once(self, toys: Toys):
        one, two = toys.one, toys.another()
        one.add(10)
        one.begin()
        (chunk,) = one.claim()

        results = at_once(lambda: one.complete(chunk), lambda: two.complete(chunk))
        assert sorted(type(x).__name__ for x in results) == ["OperationalError", "list"]
        assert self.times(one) == {1}
        assert one.endings() == {"success": 10}

    def test_of_the_old_and_the_new_holder_at_once_one_is_heard(self, toys: Toys):
        one, two = toys.one, toys.another()
        one.add(10)
        one.begin()
        (old,) = one.claim("w1")
        one.expire(old)
        (new,) = two.claim("w2")

        results = at_once(lambda: one.complete(old), lambda: two.complete(new, runner="w2"))
        assert isinstance(results[0], psycopg.Error) and results[0].sqlstate == "HG012"
        assert self.times(one) == {1}

    def test_the_same_report_after_an_internal_fault_changes_nothing(self, toys: Toys):
        one = toys.one
        one.add(2)
        one.begin()
        (chunk,) = one.claim()
        with one.unchanged(), pytest.raises(psycopg.errors.DiskFull):
            one.complete(chunk, says={"raise": "53100"})

        one.complete(chunk)
        assert self.times(one) == {1}


class TestSupersededToken:
    """4. A superseded token writes no row, and changes no unit, no counter and no message."""

    @pytest.mark.parametrize("how", ["claimed", "finished", "split", "released", "finalized"])
    def test_a_superseded_token_changes_nothing(self, toy: Toy, how: str):
        toy.add(10)
        toy.begin()
        (old,) = toy.claim("w1")
        if how == "claimed":
            toy.expire(old)
            toy.claim("w2")
        elif how == "finished":
            toy.expire(old)
            toy.complete(toy.claim("w2")[0], runner="w2")
        elif how == "split":
            for _ in range(2):
                toy.expire(*toy.chunks("leased"))
                toy.claim("w2")
        elif how == "released":
            self.release(toy, old)
        else:
            toy.finish()

        with toy.unchanged():
            for outcome in ("success", "retry", "failed", "deferred", "unsent"):
                with toy.refused("HG012"):
                    toy.complete(old, outcome, block={"until": "reset"}, p_claim=3)
            assert self.release(toy, old) == []
            arguments = {"p_chunk_ids": [old["chunk_id"]], "p_lease_nos": [old["lease_no"]]}
            assert toy.call("extend_leases", p_runner="w1", **arguments) == []

    def test_a_lease_that_ran_out_in_a_pause_is_still_its_holders(self, toy: Toy):
        toy.add(10)
        toy.begin()
        (old,) = toy.claim("w1")
        toy.call("pause_pipeline", p_pipeline="plain")
        toy.expire(old)

        assert toy.claim("w2") == []
        toy.complete(old, runner="w1")
        assert toy.endings() == {"success": 10}
        assert toy.units() == (0, 10)

    def release(self, toy: Toy, chunk: Row) -> list[Row]:
        """Release a chunk."""
        return toy.call(
            "release_jobs",
            p_runner="w1",
            p_chunk_ids=[chunk["chunk_id"]],
            p_lease_nos=[chunk["lease_no"]],
        )


class TestOneBadItem:
    """5. A bad item harms only itself."""

    def test_one_poisonous_payload_in_a_hundred_harms_only_itself(self, toy: Toy):
        toy.tune(chunk_size=100)
        assets = toy.add(100)
        toy.begin()
        (chunk,) = toy.claim()
        says = [json.dumps({"raise": "22012"} if n == 41 else {}) for n in range(100)]
        toy.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=chunk["asset_ids"],
            p_outcomes=["success"] * 100,
            p_payloads=says,
        )

        assert toy.endings() == {"success": 99, "failed": 1}
        assert toy.details(assets[41])[0]["status"] == "failed"
        assert toy.scalar("select count(*) from toy.answers where times = 1") == 99
        assert toy.step()["status"] == "succeeded"

    def test_ten_poisonous_payloads_in_a_hundred_harm_only_themselves(self, toy: Toy):
        toy.tune(chunk_size=100)
        toy.add(100)
        toy.begin()
        (chunk,) = toy.claim()
        bad = {3, 4, 5, 40, 50, 51, 77, 98, 99, 0}
        toy.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=chunk["asset_ids"],
            p_outcomes=["success"] * 100,
            p_payloads=[json.dumps({"raise": "P0001"} if n in bad else {}) for n in range(100)],
        )

        assert toy.endings() == {"success": 90, "failed": 10}
        assert {x["asset_id"] for x in toy.details() if x["status"] == "failed"} == {
            chunk["asset_ids"][n] for n in bad
        }

    def test_a_due_function_that_fails_for_one_asset_is_asked_again_tomorrow(self, toy: Toy):
        bad, good, *_ = toy.add(10, "N", "inners")
        toy.start("r1", "within")
        toy.enqueue("all", "r1", "within")
        toy.connection.execute(
            "create or replace function toy.weekly("
            " p_asset_id bigint, p_watermark timestamptz, p_now timestamptz"
            ") returns timestamptz language plpgsql security definer"
            " set search_path = pg_catalog, pg_temp as $$ begin"
            f" if p_asset_id = {bad} then raise 'no week'; end if;"
            " return p_now + interval '7 days'; end $$".encode()
        )
        toy.complete(toy.claim()[0])

        assert toy.endings() == {"success": 10}
        assert toy.state(bad, "weigh")["next_due_at"] == toy.now + timedelta(days=1)
        assert toy.state(good, "weigh")["next_due_at"] == toy.now + timedelta(days=7)


class TestTwice:
    """6. Running anything twice is harmless."""

    def test_each_function_called_again_changes_nothing(self, toys: Toys):
        one = toys.one
        one.provider(quota=10)
        one.add(12)
        jobs: list[Callable[[], Any]] = [
            lambda: one.upsert([{"code": "A0", "group_key": "A"}]),
            lambda: one.start(p_params={}),
            one.check,
            one.enqueue,
            lambda: one.enqueue("b"),
            one.step,
            one.execution,
            lambda: one.call("pause_pipeline", p_pipeline="plain"),
            lambda: one.call("resume_pipeline", p_pipeline="plain"),
            one.drain,
            lambda: one.call("retry_failed", p_pipeline="plain", p_run_id="r1"),
            one.finish,
            lambda: one.call("cancel_execution", p_pipeline="plain", p_run_id="r1"),
            lambda: one.call("check_plans"),
            lambda: one.call("retain", p_keep="400 days"),
        ]
        for job in jobs:
            job()
            with one.unchanged():
                job()

    def test_calling_at_once_is_calling_twice(self, toys: Toys):
        one, two = toys.one, toys.another()
        one.add(12)
        started = at_once(one.start, two.start)
        assert sorted(x["is_new"] for x in started) == [False, True]

        for verb in ("check", "enqueue", "enqueue", "finish"):
            first, second = at_once(getattr(one, verb), getattr(two, verb))
            assert not isinstance(first, psycopg.Error), first
            assert not isinstance(second, psycopg.Error), second
            one.assert_ledger_balances()
        assert one.endings() == {"deferred": 12}

    def test_migrating_again_changes_nothing(self, toys: Toys):
        toys.one.add(3)
        toys.one.begin()

        with toys.one.unchanged():
            migrate(toys.settings)


class TestShortTransactions:
    """7. Claims and sweeps are bounded and do not wait; the lock order holds."""

    def test_a_claim_never_waits(self, toys: Toys):
        one, other = toys.one, toys.another(autocommit=False)
        one.add(20)
        one.begin()
        other.sql("select from headgate.chunks for update")
        other.sql("select from pgmq.q_shop_normal for update")

        one.sql("set lock_timeout = '1s'")
        assert one.claim() == []
        other.connection.rollback()
        assert one.drain() == 20

    def test_a_sweep_is_bounded(self, toy: Toy):
        toy.tune(chunk_size=1)
        toy.add(70)
        toy.begin()
        toy.provider(blocked_until="2024-03-07 00:00+00")

        toy.ask(chunks=0)
        assert toy.endings() == {"deferred": 20}

    def test_a_week_s_traffic_at_once_meets_no_deadlock(self, toys: Toys):
        one = toys.one
        one.provider(quota=100_000, breaker_failures=1000)
        for operation in ("look", "open", "history", "update", "sum"):
            one.tune(operation, chunk_size=3)
        for group, universe in (("A", "things"), ("B", "things"), ("W", "books"), ("E", "books")):
            one.add(40, group, universe)
        system = System(toys)
        at_once(*(lambda n=n: system.runner(n) for n in range(3)), system.planner, system.operator)

        assert system.surprises == []
        system.end()
        assert one.chunks() == []
        assert one.endings()["success"] > 0  # how many depends on the machine


def is_like(chunk: Row, other: Row) -> bool:
    """Return whether two chunks may be handed in together."""
    return all(chunk[x] == other[x] for x in ("pipeline", "run_id", "step", "operation", "attempt"))


class System:
    """Planners, runners and an operator, each in a session of its own."""

    SECONDS = 2.5

    def __init__(self, toys: Toys) -> None:
        self.toys = toys
        self.now = toys.one.now
        self.sessions = [toys.another() for _ in range(5)]
        self.surprises: list[str] = []
        self.has_success = False
        self.together = 0
        self.ends = time.monotonic() + self.SECONDS

    def goes_on(self) -> bool:
        """Return whether time is left; a busy machine takes longer to its first success."""
        return time.monotonic() < self.ends + (0 if self.has_success else PATIENCE)

    def attempt(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Perform one action; any result other than a known one is an error."""
        try:
            return what(*given, **named)
        except psycopg.Error as exc:
            if not (exc.sqlstate or "").startswith("HG"):
                self.surprises.append(f"{exc.sqlstate} {exc}")
            return None

    def runner(self, number: int) -> None:
        """Claim, report something, and claim again with it."""
        toy, dice, name = self.sessions[number], random.Random(number), f"w{number}"
        chunks: list[Row] = []
        while self.goes_on():
            toy.at(self.now)
            chunks = chunks or self.attempt(toy.ask, name, 3) or []
            chunks = [x for x in chunks if x["chunk_id"] is not None]
            alike = [x for x in chunks if x["urls"] is None and is_like(x, chunks[0])]
            if len(alike) > 1:
                chunks = [x for x in chunks if x not in alike]
                chunks += self.attempt(self.work_together, toy, dice, name, alike) or []
            elif chunks:
                chunks += self.attempt(self.work, toy, dice, name, chunks.pop()) or []

    def work(self, toy: Toy, dice: random.Random, name: str, chunk: Row) -> list[Row]:
        """Report something of a chunk, or release it; return what is claimed with it."""
        if dice.random() < 0.1:
            tokens = {"p_chunk_ids": [chunk["chunk_id"]], "p_lease_nos": [chunk["lease_no"]]}
            toy.call("release_jobs", p_runner=name, **tokens)
            return []
        outcome = dice.choice(["success"] * 6 + ["retry", "failed", "unsent", "deferred"])
        fault = dice.choice(["item", "provider", "quota"])
        half = chunk["asset_ids"][:2] if dice.random() < 0.2 else None
        says = {"watermark": "2024-03-01"}
        told = toy.complete(chunk, outcome, half, fault=fault, says=says, runner=name, p_claim=1)
        self.has_success |= outcome == "success"
        return told

    def work_together(
        self, toy: Toy, dice: random.Random, name: str, chunks: list[Row]
    ) -> list[Row]:
        """Report several chunks at once, not always in their order; return what is claimed with it."""
        dice.shuffle(chunks)
        self.together += 1
        return toy.complete_together(chunks, dice.choice(["success", "deferred"]), name, p_claim=3)

    def planner(self) -> None:
        """Start, plan, send and end runs of both pipelines."""
        toy, run = self.sessions[3], 0
        steps = {"plain": ("a", "b"), "library": ("west", "east", "sum")}
        while self.goes_on():
            run += 1
            toy.later(hours=7)
            self.now = toy.now
            for pipeline in steps:
                self.attempt(toy.start, f"r{run}", pipeline)
                self.attempt(toy.check, f"r{run}", pipeline)
                for step in steps[pipeline]:
                    self.attempt(toy.enqueue, step, f"r{run}", pipeline)
            time.sleep(0.4)
            for pipeline in steps:
                for function in ("execution_status", "finalize_execution"):
                    arguments = {"p_pipeline": pipeline, "p_run_id": f"r{run}"}
                    self.attempt(toy.call, function, **arguments)

    def operator(self) -> None:
        """Reset, deactivate, pause, cancel, change and look."""
        toy, dice = self.sessions[4], random.Random(4)
        assets = [x["asset_id"] for x in toy.sql("select asset_id from headgate.assets")]
        newest = "select run_id from headgate.process_executions order by execution_id desc limit 1"
        while self.goes_on():
            toy.at(self.now)
            pipeline = {"p_pipeline": dice.choice(["plain", "library"])}
            run = {"p_run_id": (toy.sql(newest) or [{"run_id": "r1"}])[0]["run_id"]}
            asset = {"p_asset_id": dice.choice(assets)}
            function, arguments = dice.choice(
                [
                    *[("reset_asset", asset)] * 6,
                    ("set_asset_active", asset | {"p_is_active": dice.random() < 0.8}),
                    ("pause_pipeline", pipeline),
                    *[("resume_pipeline", pipeline)] * 3,
                    ("cancel_execution", pipeline | run),
                    *[("retry_failed", pipeline | run)] * 3,
                    *[("explain_summary", pipeline)] * 2,
                    ("set_provider", {"p_provider": "shop", "p_changes": {"quota": 100_000}}),
                    ("retain", {"p_keep": "900 days"}),
                ]
            )
            self.attempt(toy.call, function, **arguments)
            time.sleep(0.02)

    def end(self) -> None:
        """Resume and finalize whatever still runs."""
        one = self.toys.one
        for pipeline in ("plain", "library"):
            one.call("resume_pipeline", p_pipeline=pipeline)
        for row in one.sql(
            "select p.name, e.run_id from headgate.process_executions as e"
            " join headgate.pipelines as p using (pipeline_id) where e.finished_at is null"
        ):
            one.finish(row["run_id"], row["name"])
        for chunk in one.chunks("leased"):  # of cancelled runs: their runners are gone
            one.expire(chunk)
        one.claim("w9", 100)


class TestClosedProvider:
    """8. A blocked provider costs nothing and blocks nobody else (see also queue/test_blocking.py)."""

    def test_nothing_is_spent_on_a_closed_provider_and_the_others_end(self, toy: Toy):
        toy.add(30)
        toy.add(30, "O", "others")
        toy.add(5, "N", "inners")
        for pipeline in ("aside", "within"):
            toy.start("r1", pipeline)
            toy.enqueue("all", "r1", pipeline)
        toy.begin()
        toy.provider(blocked_until="2024-03-09 00:00+00")

        assert toy.drain() == 35
        assert toy.units() == (0, 0)
        assert toy.step()["deferred"] == 30
        assert {x["units"] for x in toy.details() if x["operation"] == "look"} == {0}


class TestSecrets:
    """9. A secret is never in a table, only the name of its variable."""

    def test_a_setting_cannot_hold_a_secret(self, toy: Toy):
        for changes in ({"secret": "abc"}, {"base_url": "http://user:abc@shop.test"},
                        {"base_url": "http://shop.test?token=abc"}, {"secret_name": "abc-def.123"}):  # fmt: skip
            with toy.refused("HG008"):
                toy.call("set_provider", p_provider="shop", p_changes=changes)

    def test_a_request_travels_without_its_secret(self, toy: Toy):
        toy.add(1)
        toy.begin()

        (chunk,) = toy.claim()
        assert chunk["urls"] == ["/look/A0"]
        assert chunk["call"]["auth"]["secret"] == "SHOP_TOKEN"


class TestClock:
    """10. The database's clock decides what time it is, for each session."""

    def test_a_run_of_another_year_is_a_run_of_that_year(self, toy: Toy):
        toy.at("2017-12-29 21:30:00+00:00")
        (asset,) = toy.add(1)
        toy.begin()
        toy.drain()
        toy.finish()

        assert toy.window()["opened_at"].isoformat().startswith("2017-12-29T00:00")
        assert toy.details(asset)[0]["ended_at"] == toy.now
        toy.at("2026-01-02 21:30:00+00:00")
        assert toy.start("r2")["is_new"]
        (run,) = toy.sql("select started_at from headgate.process_executions where run_id = 'r2'")
        assert run["started_at"] == toy.now
