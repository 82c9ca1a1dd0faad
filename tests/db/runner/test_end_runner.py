"""What the end of a runner leaves unchanged (end_runner.sql); test_heartbeat.py covers a runner's whole life."""

from __future__ import annotations

from tests.db.toy import Toy


def test_a_runner_that_nobody_knows_is_forgotten_without_a_word(toy: Toy):
    assert toy.value("end_runner", p_runner="nobody") == 0


def test_a_runner_that_still_holds_a_chunk_is_kept_however_old(toy: Toy):
    toy.add(1)
    toy.begin()
    toy.claim("w1")
    toy.row("heartbeat", p_runner="w1", p_host="here", p_pid=7, p_version="0.1.0")
    toy.sql("update headgate.runners set started_at = '2020-01-01', last_seen_at = '2020-01-02'")

    assert toy.value("end_runner", p_runner="w2") == 0
