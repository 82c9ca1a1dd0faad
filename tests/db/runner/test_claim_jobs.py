"""Claiming work for a runner."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import LiteralString

import pytest

from tests.db.conftest import Toys
from tests.db.toy import Toy

CHUNKS_READ: LiteralString = """
    select t.seq_tup_read + t.idx_tup_fetch from pg_stat_xact_user_tables as t where t.relname = 'chunks'
"""


def test_a_chunk_is_leased_with_its_requests(toy: Toy):
    assets = toy.add(3)
    toy.begin()

    (chunk,) = toy.claim()
    assert {x: chunk[x] for x in chunk if x not in ("chunk_id", "call", "wake_at")} == {
        "lease_no": 1, "lease_seconds": 300, "pipeline": "plain", "run_id": "r1", "step": "a",
        "provider": "shop", "operation": "look", "handler": None, "asset_ids": assets,
        "assets": ["A0", "A1", "A2"], "urls": ["/look/A0", "/look/A1", "/look/A2"],
        "bodies": [None, None, None], "attempt": 1, "headers": None,
    }  # fmt: skip


def test_a_chunk_s_units_are_spent_when_it_is_claimed(toy: Toy):
    toy.add(25)
    toy.begin()
    (chunk,) = toy.claim()

    jobs = len(chunk["asset_ids"])
    assert toy.units() == (25 - jobs, jobs)


def test_the_housekeeping_of_a_claim_does_not_read_all_that_waits(toy: Toy):
    toy.provider(quota=None)
    toy.tune(chunk_size=1)
    toy.add(1_000)
    toy.begin()
    toy.sql("analyze headgate.chunks")

    before = toy.scalar(CHUNKS_READ)
    toy.sql("select headgate._sweep(20, headgate.clock())")

    assert toy.scalar(CHUNKS_READ) - before < 100


def test_the_call_says_everything_but_the_secret(toy: Toy, monkeypatch: pytest.MonkeyPatch):
    toy.tune(method="POST", headers={"X-A": "1"}, timeout="5 seconds", max_bytes=1000)
    toy.sql(
        """update headgate.providers set headers = '{"Accept": "json", "X-A": "0"}' where name = 'shop'"""
    )
    toy.provider(max_in_flight=7)
    toy.add(1)
    toy.begin()

    call = toy.claim()[0]["call"]
    rules = call.pop("rules")
    assert call == {
        "base_url": "http://shop.test/api", "method": "POST", "timeout_seconds": 5, "max_bytes": 1000,
        "headers": {"Accept": "json", "X-A": "1"}, "in_flight": 7, "probe": False, "stop_before_seconds": 300,
        "auth": {"in": "query", "name": "token", "secret": "SHOP_TOKEN"},
    }  # fmt: skip
    assert rules[0] == {
        "status": "200",
        "outcome": "success",
        "fault": "item",
        "reason": "answered",
    }
    assert [x["status"] for x in rules[:4]] == ["200", "404", "402", "429"]
    assert rules[3]["blocks"] == "retry_after"
    assert "500-599" in [x["status"] for x in rules[4:]], "the usual rules come last"


def test_work_that_makes_no_call_has_no_requests(toy: Toy):
    toy.add(2, "N", "inners")
    toy.start("r1", "within")
    toy.enqueue("all", "r1", "within")

    (chunk,) = toy.claim()
    assert (chunk["provider"], chunk["urls"], chunk["bodies"]) == ("local", None, None)


def test_the_most_urgent_queue_goes_first(toy: Toy):
    toy.tune("history", priority=9)
    toy.tune("open", priority=1)
    toy.sql("update headgate.asset_processing_state set priority = 95")
    toy.add(1, "W", "books")
    toy.add(1)
    toy.begin("west", pipeline="library")
    toy.begin()

    queues = [toy.claim()[0]["operation"] for _ in range(3)]
    assert queues == ["open", "look", "history"]


def test_the_earliest_planned_go_first_within_a_queue(toy: Toy):
    toy.add(25)
    toy.begin()

    sizes = [len(toy.claim()[0]["asset_ids"]) for _ in range(3)]
    assert sizes == [10, 10, 5]


def test_at_most_as_many_chunks_are_claimed_as_were_requested(toy: Toy):
    toy.add(45)
    toy.begin()

    assert len(toy.claim(chunks=2)) == 2
    assert len(toy.claim(chunks=10)) == 3


def test_chunks_of_one_claim_are_of_one_provider(toy: Toy):
    toy.add(25)
    toy.add(25, "O", "others")
    toy.begin()
    toy.start("r1", "aside")
    toy.enqueue("all", "r1", "aside")

    for _ in range(2):
        assert len({x["provider"] for x in toy.claim(chunks=10)}) == 1
    assert toy.claim() == []


def test_only_the_queues_that_were_requested_are_read(toy: Toy):
    toy.add(3)
    toy.begin()

    assert toy.claim(p_queues=["shop_high", "side_normal"]) == []
    assert toy.claim(p_queues=["shop_high", "shop_normal"]) != []


def test_a_provider_whose_secret_is_lacking_is_left_to_others(toy: Toy):
    toy.add(3)
    toy.begin()

    assert toy.claim(p_avoid=["shop"]) == []
    assert toy.claim("w2") != []


def test_no_chunks_are_claimed_when_none_are_requested(toy: Toy):
    toy.add(3)
    toy.begin()

    (row,) = toy.ask(chunks=0)
    assert row["chunk_id"] is None
    assert toy.units() == (3, 0)


def test_a_lease_is_nobody_else_s(toy: Toy):
    toy.add(3)
    toy.begin()
    toy.claim("w1")

    with toy.unchanged():
        assert toy.claim("w2") == []


class TestNothing:
    """Without work the one returned row names the time of the next claim."""

    def idle(self, toy: Toy) -> tuple[object, int | None]:
        """Return wake_at, relative to now, and lease_seconds."""
        (row,) = toy.ask()
        assert row["chunk_id"] is None
        return row["wake_at"] and row["wake_at"] - toy.now, row["lease_seconds"]

    def test_no_time_is_named_where_nothing_is_known(self, toy: Toy):
        assert self.idle(toy) == (None, None)

    def test_the_next_claim_is_when_a_parked_chunk_wakes(self, toy: Toy):
        toy.add(3)
        toy.begin()
        block = {"until": "for", "seconds": 90}
        toy.complete(toy.claim()[0], "unsent", block=block)

        assert self.idle(toy) == (timedelta(seconds=90), 90)

    def test_the_next_claim_is_when_a_lease_may_run_out(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.claim()

        wait, seconds = self.idle(toy)
        assert isinstance(wait, timedelta)
        assert timedelta(seconds=290) < wait <= timedelta(seconds=300)
        assert seconds is not None and 290 <= seconds <= 300

    def test_the_next_claim_is_when_a_breaker_opens(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.provider(blocked_until="2024-03-05 12:05+00")

        assert self.idle(toy) == (timedelta(minutes=5), 300)

    def test_the_next_claim_is_when_the_next_request_may_start(self, toy: Toy):
        toy.add(25)
        toy.provider(requests_per_minute=40)
        toy.begin()
        toy.claim()

        wait, seconds = self.idle(toy)
        assert isinstance(wait, timedelta)
        assert (round(wait.total_seconds(), 1), seconds) == (13.3, 14), "two seconds ahead"

    def test_a_paused_pipeline_wakes_nobody(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.complete(toy.claim()[0], "retry", fault="provider")
        toy.call("pause_pipeline", p_pipeline="plain")

        assert self.idle(toy) == (None, None)


class TestLeaseExpirations:
    """An expired lease stays charged: its calls may have been made."""

    def test_an_expired_lease_is_claimed_again_by_a_new_token_and_pays_again(self, toy: Toy):
        (asset,) = toy.add(1)
        toy.begin()
        (dead,) = toy.claim("w1")
        toy.expire(dead)

        (chunk,) = toy.claim("w2")
        assert (chunk["chunk_id"], chunk["lease_no"]) == (dead["chunk_id"], 2)
        assert toy.units() == (0, 2)
        toy.complete(chunk, runner="w2")
        (row,) = toy.details(asset)
        assert (row["units"], row["api_calls_used"], row["attempts"]) == (2, 2, 2)

    def test_expirations_burn_no_attempts(self, toy: Toy):
        (asset,) = toy.add(1)
        toy.begin()
        for _ in range(2):
            toy.expire(*toy.claim())
        (chunk,) = toy.claim()

        assert chunk["attempt"] == 1
        toy.complete(chunk, "retry")
        assert toy.step()["parked"] == 1
        assert toy.state(asset)["consecutive_failures"] == 0

    def test_without_units_for_another_delivery_an_expired_lease_ends_deferred(self, toy: Toy):
        toy.provider(quota=5)
        toy.add(3)
        toy.begin()
        toy.expire(*toy.claim())

        assert toy.claim() == []
        assert toy.endings() == {"deferred": 3}
        assert toy.units() == (0, 3)
        assert {(x["reason"], x["units"]) for x in toy.details()} == {
            ("quota: no units left in this window", 1)
        }
        assert toy.step()["status"] == "succeeded"

    def test_units_reserved_for_others_do_not_pay_for_an_expired_lease(self, toy: Toy):
        toy.provider(quota=25)
        toy.add(20)
        toy.begin()
        toy.expire(*toy.claim())  # 10 spent, 10 reserved, 5 left

        assert toy.drain() == 10
        assert toy.endings() == {"deferred": 10, "success": 10}

    def test_part_of_a_chunk_that_was_handed_in_is_not_done_again(self, toy: Toy):
        toy.add(10)
        toy.begin()
        (chunk,) = toy.claim()
        toy.complete(chunk, "success", chunk["asset_ids"][:6])
        toy.expire(chunk)

        (again,) = toy.claim()
        assert again["asset_ids"] == chunk["asset_ids"][6:]
        assert toy.units() == (0, 14)

    def test_two_expirations_split_a_chunk_into_single_jobs(self, toy: Toy):
        toy.add(3)
        toy.begin()
        toy.expire(*toy.claim())
        toy.expire(*toy.claim())
        assert toy.ask()[0]["chunk_id"] is None

        singles = toy.claim(chunks=9)
        assert sorted(len(x["asset_ids"]) for x in singles) == [1, 1, 1]
        assert toy.units() == (0, 9)
        for chunk in singles:
            toy.complete(chunk)
        assert {x["units"] for x in toy.details()} == {3}
        assert toy.step()["status"] == "succeeded"

    def test_two_chunks_that_one_claim_meets_are_each_split_once(self, toy: Toy):
        toy.tune(chunk_size=3)
        toy.add(9)
        toy.begin()
        toy.expire(*toy.claim(chunks=2))
        toy.expire(*toy.claim(chunks=2))

        assert toy.ask(chunks=3)[0]["chunk_id"] is None
        assert sorted(len(x["asset_ids"]) for x in toy.chunks()) == [1, 1, 1, 1, 1, 1, 3]
        assert toy.drain() == 9
        assert toy.endings() == {"success": 9}

    def test_one_deadly_job_condemns_only_itself(self, toy: Toy):
        poison, *others = toy.add(3)
        toy.begin()
        for _ in range(9):
            for chunk in toy.claim(chunks=9):
                if poison in chunk["asset_ids"]:
                    toy.expire(chunk)
                else:
                    toy.complete(chunk)

        ended = {x["asset_id"]: (x["status"], x["units"]) for x in toy.details()}
        assert ended == {
            poison: ("deferred", 3),
            others[0]: ("success", 3),
            others[1]: ("success", 3),
        }
        assert toy.details(poison)[0]["reason"].startswith("internal: its lease expired")
        assert toy.state(poison)["consecutive_failures"] == 0
        assert toy.step()["status"] == "failed"  # an internal fault holds back a third of its jobs

    def test_singles_that_cannot_be_paid_for_end_deferred(self, toy: Toy):
        toy.provider(quota=7)
        toy.add(3)
        toy.begin()
        toy.expire(*toy.claim())
        toy.expire(*toy.claim())
        assert toy.ask()[0]["chunk_id"] is None

        assert toy.drain() == 1
        assert toy.endings() == {"deferred": 2, "success": 1}
        assert toy.units() == (0, 7)


class TestMessages:
    """A claim never fails because of one message."""

    @pytest.mark.parametrize(
        "message", ["{}", '{"chunk_id": 0}', '{"chunk_id": "x"}', '{"chunk_id": 99999999999999999999999}',
                    '{"chunk_id": null}', '{"chunk_id": {"a": 1}}', "[]", '"poison"', "null"],
    )  # fmt: skip
    def test_messages_without_a_known_chunk_are_archived(self, toy: Toy, message: str):
        toy.add(3)
        toy.sql("select pgmq.send('shop_normal', %(m)s::jsonb)", m=message)
        toy.begin()

        assert len(toy.claim(chunks=5)) == 1
        archived = toy.sql("select message from pgmq.a_shop_normal")
        assert [x["message"] for x in archived] == [json.loads(message)]

    def test_a_message_of_a_chunk_that_travels_in_another_is_archived(self, toy: Toy):
        toy.add(3)
        toy.begin()
        (chunk,) = toy.chunks()
        for queue in ("shop_normal", "shop_high", "side_normal"):
            toy.sql(
                "select pgmq.send(%(q)s, jsonb_build_object('chunk_id', %(id)s::bigint))",
                q=queue,
                id=chunk["chunk_id"],
            )

        assert len(toy.claim(chunks=5) + toy.claim(chunks=5)) == 1
        assert toy.units() == (0, 3)
        toy.call("repair")  # nobody reads a queue without chunks

    def test_a_lost_message_is_sent_again(self, toy: Toy):
        toy.add(13)
        toy.begin()
        toy.sql("select pgmq.purge_queue('shop_normal')")

        assert toy.drain() == 13

    def test_a_lost_message_of_a_lease_that_ran_out_is_sent_again(self, toy: Toy):
        toy.add(3)
        toy.begin()
        (chunk,) = toy.claim()
        toy.expire(chunk)
        toy.sql("select pgmq.purge_queue('shop_normal')")

        (again,) = toy.claim()
        assert again["lease_no"] == 2
        toy.complete(again)

    def test_a_chunk_that_somebody_else_has_locked_is_left_for_the_next_delivery(self, toys: Toys):
        one, two = toys.one, toys.another(autocommit=False)
        one.add(20)
        one.begin()
        first, second = one.chunks()
        two.sql(
            "select from headgate.chunks where chunk_id = %(id)s for update", id=first["chunk_id"]
        )

        (chunk,) = one.claim(chunks=5)
        assert chunk["chunk_id"] == second["chunk_id"]
        two.connection.rollback()
        (chunk,) = one.claim(chunks=5)
        assert chunk["chunk_id"] == first["chunk_id"]

    def test_messages_of_ended_steps_are_left_to_the_executions_holder(self, toys: Toys):
        """The execution's holder may wait for a message that the claim has read; waiting for it would deadlock."""
        one, two = toys.one, toys.another(autocommit=False)
        one.add(3)
        one.begin()
        one.sql(
            "update headgate.process_steps set status = 'cancelled', finished_at = now() where step = 'a'"
        )
        two.sql("select from headgate.process_executions for update")

        one.sql("set lock_timeout = '1s'")
        assert one.claim() == []
        assert len(one.chunks()) == 1
        two.connection.rollback()
        assert one.claim() == []
        assert one.chunks() == []
