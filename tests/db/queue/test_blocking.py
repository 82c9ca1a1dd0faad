"""Admission: breaker, probes and blocked providers in claims and the sweep (_block_until.sql, _sweep.sql)."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.db.conftest import Toys
from tests.db.together import meanwhile
from tests.db.toy import Toy
from tests.plan import Row


@pytest.fixture
def shop(toy: Toy) -> Toy:
    """Sixty jobs of a provider whose breaker opens at ten failures."""
    toy.tune(max_wait="1 hour")
    toy.add(60)
    toy.begin()
    return toy


def fail(toy: Toy, chunk: Row, count: int | None = None) -> None:
    """Report a 500 for a chunk's jobs, or its first ones; the rest was not started."""
    assets = chunk["asset_ids"]
    count = len(assets) if count is None else count
    toy.complete(chunk, "retry", assets[:count], fault="provider")
    if count < len(assets):
        toy.complete(chunk, "unsent", assets[count:])


def blocked_for(toy: Toy) -> float:
    """Return for how many seconds the provider is blocked."""
    until = toy.breaker()["blocked_until"]
    return (until - toy.now).total_seconds() if until else 0.0


class TestBreaker:
    """Ten failures in a row open it, one probe tests the provider, an answer closes it."""

    def test_nine_failures_leave_a_provider_flowing(self, shop: Toy):
        fail(shop, shop.claim()[0], 9)

        assert (shop.breaker()["failures"], shop.breaker()["opened"]) == (9, 0)
        assert shop.claim() != []

    def test_ten_failures_open_the_breaker_for_a_minute(self, shop: Toy):
        fail(shop, shop.claim()[0])

        assert blocked_for(shop) == 60
        assert (shop.breaker()["opened"], shop.breaker()["blocked_reason"]) == (
            1,
            "provider: the breaker is open",
        )
        assert shop.claim() == []

    def test_failures_of_several_chunks_add_up(self, shop: Toy):
        first, second = shop.claim(chunks=2)
        fail(shop, first, 5)
        fail(shop, second, 5)

        assert blocked_for(shop) == 60

    @pytest.mark.parametrize(
        ("outcome", "fault"), [("success", "item"), ("failed", "item"), ("retry", "quota")]
    )
    def test_any_answer_between_starts_the_count_again(self, shop: Toy, outcome: str, fault: str):
        shop.provider(breaker_share=1)
        first, second, third = shop.claim(chunks=3)
        fail(shop, first, 9)
        shop.complete(second, outcome, fault=fault)
        fail(shop, third, 9)

        assert shop.breaker()["failures"] == 9
        assert blocked_for(shop) == 0

    @pytest.mark.parametrize("fault", ["item", "quota", "internal"])
    def test_no_other_fault_opens_the_breaker(self, shop: Toy, fault: str):
        shop.complete(shop.claim()[0], "deferred", fault=fault)

        assert blocked_for(shop) == 0

    def test_failures_while_the_breaker_is_open_do_not_prolong_it(self, shop: Toy):
        chunks = shop.claim(chunks=6)
        for chunk in chunks:
            fail(shop, chunk)

        assert shop.breaker()["opened"] == 1
        assert blocked_for(shop) == 60

    def test_slices_of_one_chunk_open_the_breaker_once(self, shop: Toy):
        shop.provider(breaker_failures=2)
        (chunk,) = shop.claim()
        for n in range(0, 10, 2):
            shop.complete(chunk, "retry", chunk["asset_ids"][n : n + 2], fault="provider")

        assert (shop.breaker()["opened"], blocked_for(shop)) == (1, 60)

    def test_after_the_cool_down_one_probe_goes_first(self, shop: Toy):
        fail(shop, shop.claim()[0])
        shop.later(seconds=60)

        (probe,) = shop.claim(chunks=9)
        assert probe["call"]["probe"] is True
        assert shop.breaker()["probe_chunk_id"] == probe["chunk_id"]
        assert shop.claim("w2", 9) == []

    def test_a_probe_that_is_answered_closes_the_breaker(self, shop: Toy):
        fail(shop, shop.claim()[0])
        shop.later(seconds=60)
        (probe,) = shop.claim()
        shop.complete(probe, "success", probe["asset_ids"][:1])

        breaker = shop.breaker()
        assert (breaker["failures"], breaker["opened"], breaker["probe_chunk_id"]) == (0, 0, None)
        (chunk,) = shop.claim("w2")
        assert chunk["call"]["probe"] is False
        shop.complete(probe, "success", probe["asset_ids"][1:])
        shop.complete(chunk, runner="w2")

    def test_a_probe_that_fails_opens_the_breaker_for_twice_as_long(self, shop: Toy):
        fail(shop, shop.claim()[0])
        for seconds in (120, 240, 480):
            shop.at(shop.breaker()["blocked_until"])
            (probe,) = shop.claim()
            fail(shop, probe, 1)
            assert blocked_for(shop) == seconds

    def test_a_probe_whose_lease_runs_out_makes_room_for_another(self, shop: Toy):
        fail(shop, shop.claim()[0])
        shop.later(seconds=60)
        (probe,) = shop.claim()
        shop.expire(probe)

        (again,) = shop.claim("w2")
        assert again["call"]["probe"] is True

    def test_a_probe_that_is_released_makes_room_for_another(self, shop: Toy):
        fail(shop, shop.claim()[0])
        shop.later(seconds=60)
        (probe,) = shop.claim()
        shop.call(
            "release_jobs",
            p_runner="w1",
            p_chunk_ids=[probe["chunk_id"]],
            p_lease_nos=[probe["lease_no"]],
        )

        assert shop.claim("w2")[0]["call"]["probe"] is True

    def test_a_probe_whose_execution_is_finalized_makes_room_for_another(self, shop: Toy):
        fail(shop, shop.claim()[0])
        shop.later(seconds=60)
        shop.claim()
        shop.finish()
        shop.begin(run="r2")

        assert shop.claim("w2")[0]["call"]["probe"] is True

    def test_two_runners_at_once_get_one_probe(self, toys: Toys):
        one, two = toys.another(autocommit=False), toys.another()
        toys.one.add(40)
        toys.one.begin()
        fail(toys.one, toys.one.claim()[0])
        for toy in (toys.one, one, two):
            toy.later(seconds=60)
        one.connection.commit()

        first = one.claim("w1")
        with meanwhile(lambda: two.claim("w2"), two, toys.one) as answers:
            one.connection.commit()
        assert [len(first), *map(len, answers)] == [1, 0]

    def test_failures_that_two_runners_report_at_once_open_the_breaker_for_the_whole_time(
        self, toys: Toys
    ):
        one, two = toys.another(autocommit=False), toys.another()
        toys.one.add(40)
        toys.one.begin()
        (first,), (second,) = toys.one.claim("w1"), toys.one.claim("w2")

        one.complete(first, "retry", first["asset_ids"][:5], runner="w1", fault="provider")
        half = second["asset_ids"][:5]
        with meanwhile(
            lambda: two.complete(second, "retry", half, runner="w2", fault="provider"),
            two,
            toys.one,
        ):
            one.connection.commit()
        assert (toys.one.breaker()["opened"], blocked_for(toys.one)) == (1, 60)

    def test_a_provider_that_stays_away_is_deferred_beyond_max_wait_and_costs_no_more(
        self, toy: Toy
    ):
        toy.add(30)
        toy.begin()
        while toy.execution()["queued"] or toy.execution()["parked"]:
            claimed = toy.claim()
            if claimed:
                fail(toy, claimed[0], 1 if claimed[0]["call"]["probe"] else None)
            else:
                wake = toy.execution()["next_wake_at"]
                toy.at(max(wake or toy.now, toy.breaker()["blocked_until"] or toy.now))

        assert toy.endings() == {"deferred": 30}
        assert toy.units()[1] <= 16, "ten, then a few probes"
        assert toy.step()["status"] == "failed"
        assert {x["reason"].partition(":")[0] for x in toy.details()} == {"provider"}


class TestErrorShare:
    """Failures that are never ten in a row, but half of a minute's answers."""

    @pytest.fixture
    def many(self, toy: Toy) -> Toy:
        """Single jobs; eight answers are enough to judge by."""
        toy.provider(breaker_failures=4)
        toy.tune(chunk_size=1, max_wait="1 hour")
        toy.add(60)
        toy.begin()
        return toy

    def report(self, toy: Toy, faults: int, answers: int) -> None:
        for _ in range(faults):
            fail(toy, toy.claim()[0])
        for _ in range(answers):
            toy.complete(toy.claim()[0])

    def test_failures_of_half_of_eight_answers_open_the_breaker(self, many: Toy):
        self.report(many, 1, 1)
        self.report(many, 1, 1)
        self.report(many, 1, 2)
        assert (blocked_for(many), many.breaker()["counted_faults"]) == (0, 3)
        self.report(many, 1, 0)

        assert (blocked_for(many), many.breaker()["opened"]) == (60, 1)
        assert many.claim() == []

    def test_fewer_answers_are_too_few_to_judge_by(self, many: Toy):
        self.report(many, 3, 1)
        self.report(many, 3, 0)

        assert blocked_for(many) == 0

    def test_a_smaller_share_of_failures_leaves_the_provider_flowing(self, many: Toy):
        for _ in range(10):
            self.report(many, 1, 2)

        assert blocked_for(many) == 0

    def test_how_large_a_share_is_a_setting(self, many: Toy):
        many.provider(breaker_share=0.25)
        self.report(many, 1, 6)
        assert blocked_for(many) == 0
        self.report(many, 1, 0)

        assert blocked_for(many) == 60

    def test_answers_older_than_a_minute_do_not_count(self, many: Toy):
        for _ in range(10):
            self.report(many, 1, 1)
            many.later(seconds=31)

        assert blocked_for(many) == 0

    @pytest.mark.parametrize("seconds", [0, 61])
    def test_one_report_is_enough_whatever_was_counted_before(self, shop: Toy, seconds: int):
        first, second, third = shop.claim(chunks=3)
        fail(shop, first, 1)
        shop.complete(second)
        shop.later(seconds=seconds)
        shop.provider(breaker_failures=5)
        shop.call(
            "complete_jobs",
            p_runner="w1",
            p_chunk_id=third["chunk_id"],
            p_lease_no=third["lease_no"],
            p_asset_ids=third["asset_ids"],
            p_outcomes=["retry"] * 6 + ["skipped"] * 4,
            p_faults=["provider"] * 6 + ["item"] * 4,
        )

        assert blocked_for(shop) == (0 if seconds == 0 else 60)

    def test_a_probe_that_is_answered_begins_again(self, many: Toy):
        self.report(many, 4, 0)
        many.later(seconds=60)
        self.report(many, 0, 1)

        breaker = many.breaker()
        assert (breaker["opened"], breaker["counted_since"]) == (0, None)
        self.report(many, 3, 3)
        assert blocked_for(many) <= 0

    def test_answers_alone_leave_the_gate_alone(self, many: Toy):
        many.provider(requests_per_minute=None)
        before = many.sql("select xmin, ctid from headgate.breakers")
        many.drain()

        assert many.sql("select xmin, ctid from headgate.breakers") == before


class TestAuthFailures:
    """401 and 403: the token is wrong, but the provider is well."""

    @pytest.fixture(autouse=True)
    def _refused(self, shop: Toy) -> None:
        """Report a chunk's ten calls as refused."""
        block = {"until": "execution", "reason": "401"}
        shop.complete(shop.claim()[0], "deferred", fault="internal", block=block)

    def health(self, toy: Toy) -> Row:
        (health,) = toy.sql(
            "select state, failures, auth_failures from headgate.v_provider_health"
            " where provider = 'shop'"
        )
        return health

    def test_refused_tokens_are_counted_and_close_their_execution_alone(self, shop: Toy):
        assert self.health(shop) == {"state": "flowing", "failures": 0, "auth_failures": 10}
        assert shop.claim() == []
        assert shop.endings() == {"deferred": 60}

    def test_with_a_new_token_the_next_run_continues_and_an_answer_clears_them(self, shop: Toy):
        shop.finish()
        shop.begin(run="r2")
        shop.complete(shop.claim()[0])

        assert self.health(shop) == {"state": "flowing", "failures": 0, "auth_failures": 0}

    def test_opening_by_hand_forgets_refused_tokens(self, shop: Toy):
        shop.provider(blocked_until=None)

        assert self.health(shop)["auth_failures"] == 0


class TestClosed:
    """A blocked provider costs nothing and blocks nobody else."""

    def test_the_queues_of_a_blocked_provider_are_not_read_at_all(self, shop: Toy):
        shop.provider(blocked_until="2024-03-05 12:30+00")

        with shop.unchanged():
            assert shop.claim() == []
        assert shop.units() == (60, 0)

    def test_other_providers_continue(self, shop: Toy):
        shop.add(25, "O", "others")
        shop.start("r1", "aside")
        shop.enqueue("all", "r1", "aside")
        shop.provider(blocked_until="2024-03-05 12:30+00")

        assert shop.drain() == 25

    def test_a_blocked_provider_continues_once_it_opens(self, shop: Toy):
        shop.provider(blocked_until="2024-03-05 12:30+00")
        shop.at("2024-03-05 12:30+00:00")

        assert shop.drain() == 60

    def test_a_blocked_provider_continues_once_it_is_opened_by_hand(self, shop: Toy):
        shop.provider(blocked_until="2024-03-05 12:30+00")
        shop.provider(blocked_until=None)

        assert shop.drain() == 60

    def test_beyond_max_wait_what_waits_ends_deferred_a_few_at_a_time(self, toy: Toy):
        toy.tune(chunk_size=1)
        toy.add(45)
        toy.begin()
        toy.provider(blocked_until="2024-03-05 13:00+00", reason="maintenance")

        left = []
        while (chunks := len(toy.chunks())) > 0:
            left.append(chunks)
            toy.ask()
        assert left == [45, 25, 5]
        assert {x["reason"] for x in toy.details()} == {"provider: maintenance"}
        assert toy.units() == (0, 0)

    def test_within_max_wait_a_parked_chunk_waits_on(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.complete(toy.claim()[0], "retry", fault="provider")
        toy.provider(blocked_until="2024-03-05 12:10+00")
        toy.later(minutes=1)

        assert toy.claim() == []
        (parked,) = toy.chunks("parked")
        assert parked["wake_at"] == toy.breaker()["blocked_until"]
        toy.later(minutes=9)
        assert toy.drain() == 3

    def test_a_parked_chunk_without_units_is_deferred(self, toy: Toy):
        toy.provider(quota=3)
        toy.add(3)
        toy.begin()
        toy.complete(toy.claim()[0], "retry", fault="provider")
        toy.later(minutes=1)

        assert toy.claim() == []
        assert {x["reason"] for x in toy.details()} == {"quota: no units left in this window"}

    @pytest.mark.parametrize("how", ["pause_pipeline", "cancel_execution", "finalize_execution"])
    def test_the_sweep_leaves_what_does_not_run_alone(self, toy: Toy, how: str):
        toy.add(3)
        toy.begin()
        toy.complete(toy.claim()[0], "retry", fault="provider")
        arguments: dict[str, Any] = {"p_pipeline": "plain"}
        toy.call(how, **arguments if how.startswith("pause") else {**arguments, "p_run_id": "r1"})
        toy.later(hours=1)

        with toy.unchanged():
            toy.ask()

    def test_one_chunk_that_cannot_be_swept_does_not_keep_the_others(self, toy: Toy):
        toy.add(3)
        toy.add(3, "B")
        toy.begin("a", "b")
        for chunk in toy.claim(chunks=2):
            toy.complete(chunk, "retry", fault="provider")
        first, second = toy.chunks("parked")
        toy.sql(
            "update headgate.chunks set queue = 'no_such_queue' where chunk_id = %(id)s",
            id=first["chunk_id"],
        )
        toy.later(minutes=1)
        toy.ask()

        assert [x["state"] for x in toy.chunks()] == ["parked", "queued"]
        toy.sql("update headgate.chunks set queue = 'shop_normal'")
        assert second["chunk_id"] in [x["chunk_id"] for x in toy.chunks()]


class TestWindowTurn:
    """A reservation ends with its window and is made anew; nothing starts shortly before the reset."""

    def test_in_the_last_seconds_no_call_starts(self, toy: Toy):
        toy.at("2024-03-05 23:59:54+00:00")
        toy.add(3)
        toy.begin()
        toy.later(seconds=1)
        assert toy.claim() == []

        toy.later(seconds=5)
        assert toy.drain() == 3

    def test_a_lease_says_when_its_last_call_may_start(self, toy: Toy):
        toy.at("2024-03-05 23:58:00+00:00")
        toy.add(3)
        toy.begin()

        assert toy.claim()[0]["call"]["stop_before_seconds"] == 115

    def test_the_guard_is_the_provider_s(self, toy: Toy):
        toy.sql("update headgate.providers set reset_guard = '2 minutes' where name = 'shop'")
        toy.at("2024-03-05 23:57:59+00:00")
        toy.add(20)
        toy.begin()

        assert toy.claim()[0]["call"]["stop_before_seconds"] == 1
        toy.later(seconds=1)
        assert toy.claim() == []

    def test_a_provider_without_quota_has_no_reset(self, toy: Toy):
        toy.at("2024-03-05 23:59:59+00:00")
        toy.add(3, "O", "others")
        toy.start("r1", "aside")
        toy.enqueue("all", "r1", "aside")

        assert toy.claim()[0]["call"]["stop_before_seconds"] == 300

    def test_jobs_planned_yesterday_are_charged_to_today(self, toy: Toy):
        toy.add(20)
        toy.begin()
        toy.complete(toy.claim()[0])
        toy.later(hours=12)
        toy.complete(toy.claim()[0])

        assert toy.sql("select reserved, spent from headgate.quota_windows order by opened_at") == [
            {"reserved": 0, "spent": 10}, {"reserved": 0, "spent": 10},
        ]  # fmt: skip

    def test_jobs_beyond_todays_budget_are_deferred(self, toy: Toy):
        toy.add(30)
        toy.begin()
        toy.later(hours=12)
        toy.provider(quota=20)

        assert toy.drain() == 20
        assert toy.endings() == {"success": 20, "deferred": 10}

    def test_units_of_yesterday_that_were_not_used_go_back_to_yesterday(self, toy: Toy):
        toy.add(3)
        toy.begin()
        (chunk,) = toy.claim()
        toy.later(hours=12)
        toy.complete(chunk, "unsent")
        toy.drain()

        spent = toy.sql("select spent from headgate.quota_windows order by opened_at")
        assert [x["spent"] for x in spent] == [0, 3]

    def test_a_lease_of_yesterday_that_ran_out_is_charged_again_to_today(self, toy: Toy):
        toy.add(3)
        toy.begin()
        (chunk,) = toy.claim()
        toy.later(hours=12)
        toy.expire(chunk)
        toy.drain()

        spent = toy.sql("select spent from headgate.quota_windows order by opened_at")
        assert [x["spent"] for x in spent] == [3, 3]
        assert {x["units"] for x in toy.details()} == {2}

    def test_a_provider_that_loses_its_quota_lets_its_promises_go(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.provider(quota=None)

        assert toy.drain() == 3
        assert toy.window()["reserved"] == 0


class TestRate:
    """Requests are spread over the minute: each has its start time."""

    @pytest.fixture
    def fast(self, toy: Toy) -> Toy:
        """Single jobs, at forty a minute."""
        toy.provider(quota=1000, requests_per_minute=40)
        toy.tune(chunk_size=1)
        toy.add(200)
        toy.begin()
        return toy

    def starts(self, toy: Toy, runner: str = "w1") -> list[datetime]:
        """Claim all work; return the start times of its calls."""
        found = []
        for chunk in toy.claim(runner, 20):
            schedule = chunk["call"]["schedule"]
            for nth in range(len(chunk["asset_ids"])):
                seconds = schedule["start_in"] + nth * schedule["every"]
                found.append(toy.now + timedelta(seconds=float(seconds)))
        return found

    def test_one_request_starts_after_the_other_whichever_runner_makes_it(self, fast: Toy):
        found = []
        for nth in range(60):
            found += self.starts(fast, f"w{nth % 3}")
            fast.later(seconds=0.5)

        gaps = [(y - x).total_seconds() for x, y in itertools.pairwise(sorted(found))]
        assert gaps == pytest.approx([1.53] * len(gaps))

    def test_no_more_requests_start_than_a_minute_allows_and_hardly_fewer(self, fast: Toy):
        found = []
        for _ in range(180):
            found += self.starts(fast)
            fast.later(seconds=1)

        most = [sum(x <= y < x + timedelta(minutes=1) for y in found) for x in found]
        assert max(most) == 40
        assert len(found) >= 0.95 * 3 * 40

    def test_the_limit_holds_in_any_sixty_seconds(self, fast: Toy):
        fast.provider(burst=9)
        found: list[datetime] = []
        for step in (0.9, 0.3, 7.7, 20.2, 30.95, 0.05, 0.9, 29.5, 3.3, 26.4, 0.6, 0.2, 59.8, 0.15):
            fast.later(seconds=step)
            found += [max(fast.now, x) for x in self.starts(fast)]

        assert len(found) > 50
        for start in found:
            assert sum(start <= x < start + timedelta(minutes=1) for x in found) <= 40

    def test_after_a_pause_a_burst_may_start_at_once(self, fast: Toy):
        fast.provider(burst=7)

        assert sum(x <= fast.now for x in self.starts(fast)) == 7
        fast.later(seconds=2)
        assert sum(x <= fast.now for x in self.starts(fast)) == 0
        fast.later(minutes=5)
        assert sum(x <= fast.now for x in self.starts(fast)) == 7

    def test_a_claim_with_a_slightly_older_clock_starts_after_the_granted_times(self, fast: Toy):
        before = self.starts(fast)
        fast.later(seconds=-3)

        assert self.starts(fast) == []
        fast.later(seconds=5)
        assert min(self.starts(fast)) > max(before)

    def test_a_clock_that_jumps_back_forgets_what_was_granted(self, fast: Toy):
        self.starts(fast)
        fast.later(days=-2)
        assert min(self.starts(fast)) == fast.now

    def test_a_chunk_takes_a_time_for_each_of_its_calls_and_the_next_waits(self, toy: Toy):
        toy.provider(requests_per_minute=40)
        toy.add(15)
        toy.begin()

        assert len(self.starts(toy)) == 10
        assert self.starts(toy, "w2") == []
        toy.later(seconds=13.4)
        assert len(self.starts(toy, "w2")) == 5, (
            "two seconds before the times of the first are over"
        )

    def test_calls_that_the_runner_has_no_room_for_take_no_times(self, toy: Toy):
        toy.provider(requests_per_minute=40)
        toy.add(25)
        toy.begin()
        before = toy.next_start_at()

        full, roomy, old = (
            toy.claim(x, **y)[0]["call"]["schedule"]
            for x, y in (("w1", {"p_room": 0}), ("w2", {"p_room": 1}), ("w3", {}))
        )
        assert (full["starts"], roomy["starts"], "starts" in old) == (0, 1, False)
        assert (roomy["start_in"], old["start_in"]) == (0, pytest.approx(1.53))
        assert toy.next_start_at() == toy.now + timedelta(seconds=6 * 1.53) > before

    def test_work_without_a_limit_has_no_times(self, toy: Toy):
        toy.tune("peek", chunk_size=1)
        toy.add(100, "O", "others")
        toy.start("r1", "aside")
        toy.enqueue("all", "r1", "aside")

        claimed = toy.claim(chunks=1000)
        assert len(claimed) == 100
        assert all("schedule" not in x["call"] for x in claimed)


def test_calls_at_once_are_shared_among_the_runners(toy: Toy):
    toy.provider(max_in_flight=20)
    toy.add(40)
    toy.begin()

    shares = [toy.claim(f"w{n}")[0]["call"]["in_flight"] for n in range(3)]
    assert shares == [20, 10, 6]


def test_calls_at_once_are_shared_with_runners_whose_leases_may_be_behind_many_others(toy: Toy):
    toy.provider(max_in_flight=20, quota=3000, requests_per_minute=None)
    toy.tune(chunk_size=1)
    toy.add(1110)
    toy.begin()
    assert sum(len(toy.claim("w1", chunks=100)) for _ in range(11)) == 1100

    for runner in ("w1", "w2", "w3"):
        toy.call("heartbeat", p_runner=runner, p_host="here", p_pid=1, p_version="1")
    assert [toy.claim(x)[0]["call"]["in_flight"] for x in ("w2", "w3")] == [6, 6]


def test_blocking_until_a_time_is_seen_by_the_clock_of_the_plan(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.complete(toy.claim()[0], "unsent", block={"until": "for", "seconds": 30})

    assert toy.breaker()["blocked_until"] == toy.now + timedelta(seconds=30)
