"""Notifications carry only an execution's id, which every reader may look up; any role may send any notification."""

from __future__ import annotations

import pytest

from tests.db.conftest import Toys
from tests.db.toy import Toy
from tests.limits import PATIENCE

CHANNELS = ("headgate_steps", "headgate_jobs", "headgate_orders")


def test_a_step_s_end_is_notified_by_the_number_of_its_execution(toys: Toys):
    toys.one.add(1)
    listener = toys.another()
    for channel in CHANNELS:
        listener.connection.execute(f"listen {channel}".encode())
    toys.one.begin("a")
    execution_id = toys.one.value("execution_id", p_pipeline="plain", p_run_id="r1")
    toys.one.drain()
    toys.one.finish()

    heard = list(listener.connection.notifies(timeout=PATIENCE, stop_after=3))
    heard += list(listener.connection.notifies(timeout=0))
    told = {x.payload for x in heard if x.channel == "headgate_steps"}
    assert told == {str(execution_id)}
    assert {x.channel for x in heard} <= set(CHANNELS)
    names = ("plain", "r1", "library")
    assert not any(name in x.payload for x in heard for name in names)


def test_an_unknown_run_has_no_number(toy: Toy):
    with toy.refused("HG002", "nothing"):
        toy.call("execution_id", p_pipeline="plain", p_run_id="nothing")


@pytest.mark.parametrize("payload", ["", "{", "0", "-1", "x" * 7999, "\x01", '{"pipeline": 1}'])
def test_a_forged_notification_does_no_harm(toys: Toys, payload: str):
    toys.one.add(1)
    toys.one.begin("a")
    stranger = toys.another()
    for channel in CHANNELS:
        stranger.connection.execute("select pg_notify(%s, %s)", (channel, payload))

    assert toys.one.drain() == 1
