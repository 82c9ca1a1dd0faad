"""Runners look up, fetch and die at random: equal requests are made once, and again only where an answer was lost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.attacks.form import dice, either, tell
from tests.attacks.test_pools import OPEN, RUNNERS, Shift
from tests.db.conftest import Toys
from tests.db.toy import Toy
from tests.limits import wait_until
from tests.plan import Row

KILLS = either(8, 150)
JOBS = either(60, 1_200)
KEYS = either(10, 120)
ANSWER = json.dumps({"status": 200, "headers": {}})


@dataclass
class Errand(Shift):
    """Runners whose requests are equal to those of others; the provider's own ledger of them."""

    asked: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    """Answers that may have been lost, by request."""

    def watch(self) -> None:
        """Look at nothing meanwhile."""

    def act(self, toy: Toy, runner: str, chunk: Row, way: str) -> None:
        """Look a chunk's requests up and make those that are its own; then end it in one of the ways."""
        fetched: list[str] = []
        try:
            outcomes = self.ask(toy, runner, chunk, fetched)
            if way in ("forget", "idle", "lose", "release"):
                raise psycopg.OperationalError("it dies")
            complete(toy, runner, chunk, outcomes, "retry" if way == "retry" else "success")
            self.lost.update(fetched if way == "retry" else [])
        except psycopg.OperationalError as exc:
            self.lost.update(fetched)
            self.another().expire(chunk)
            if exc.sqlstate or toy.connection.broken:
                raise

    def ask(self, toy: Toy, runner: str, chunk: Row, fetched: list[str]) -> list[tuple[str, int]]:
        """Return outcome and requests of each job; note the requests that were made."""
        keys = [f"k{x % KEYS}" for x in chunk["asset_ids"]]
        found = toy.call(
            "look_up_answers",
            p_runner=runner,
            p_chunk_id=chunk["chunk_id"],
            p_lease_no=chunk["lease_no"],
            p_asset_ids=chunk["asset_ids"],
            p_keys=keys,
            p_held_at=[None] * len(keys),
        )
        states = {x["key"]: x["state"] for x in found}
        outcomes = []
        for key in keys:
            if states[key] == "fetch" and key not in fetched:
                self.asked[key] += 1
                fetched.append(key)
                outcomes.append(("success", 1))
            else:
                outcomes.append(("success" if states[key] == "hit" else "unsent", 0))
        return outcomes


def complete(
    toy: Toy, runner: str, chunk: Row, outcomes: list[tuple[str, int]], fresh: str
) -> None:
    """Hand in a chunk; the requests that were made have the outcome `fresh`."""
    given: Any = [(fresh if requests else outcome, requests) for outcome, requests in outcomes]
    toy.call(
        "complete_jobs",
        p_runner=runner,
        p_chunk_id=chunk["chunk_id"],
        p_lease_no=chunk["lease_no"],
        p_asset_ids=chunk["asset_ids"],
        p_outcomes=[x for x, _ in given],
        p_faults=["quota" if x == "unsent" else "item" for x, _ in given],
        p_payloads=["{}" if x == "success" else None for x, _ in given],
        p_request_counts=[x for _, x in given],
        p_charged=[x for _, x in given],
        p_answers=[ANSWER] * len(given),
    )


def test_equal_requests_are_made_once_whoever_dies(toys: Toys):
    toy = toys.one
    toy.offset_clock("0")
    toy.provider(quota=1_000_000)
    toy.tune(cache="1 day", chunk_size=3, lease="1 hour", backoff="10 ms", backoff_max="50 ms")
    toy.tune(max_attempts=1_000, max_wait="1 hour")
    toy.add(JOBS)
    errand = Errand(toys, dice("cache"))
    toy.begin()
    with errand.begun():
        wait_until(lambda: len(errand.pids) == RUNNERS, "all runners are there")
        for _ in range(KILLS):
            errand.kill(toy)
        wait_until(lambda: errand.errors or toy.scalar(OPEN) == 0, "all jobs have ended")

    ended = toy.endings()  # a job whose lease expired three times ends as deferred
    assert sum(ended.values()) == JOBS and set(ended) <= {"success", "deferred"}
    assert ended["success"] > JOBS * 0.8
    assert len(errand.asked) <= KEYS
    assert [x for x in errand.asked if errand.asked[x] > 1 + errand.lost[x]] == []
    (cache,) = toy.sql("select hits, misses from headgate.v_cache where operation = 'look'")
    hits = toy.scalar("select count(*) from headgate.asset_processing_details where from_cache")
    assert (cache["hits"], ended["success"] - hits <= errand.asked.total()) == (hits, True)
    assert toy.units()[0] == 0 and toy.units()[1] >= errand.asked.total()
    tell(f"cache: {errand.asked.total()} requests for {KEYS} answers, {dict(errand.did)}")
