"""A runner of a queue that does not exist would wait for ever."""

from __future__ import annotations

from tests.db.toy import Toy


def test_queues_of_providers_are_known(toy: Toy):
    toy.call("check_queues", p_queues=["shop_high", "local_low"])
    toy.call("check_queues", p_queues=None)


def test_a_misspelt_queue_is_refused_with_the_one_that_was_meant(toy: Toy):
    with toy.refused("HG008", "unknown queue: 'shop_hgih'", "did you mean shop_high"):
        toy.call("check_queues", p_queues=["shop_low", "shop_hgih"])
