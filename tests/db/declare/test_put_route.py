"""put_route: which notifications a channel receives."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import Shelf

CHANNEL = "put_channel('ops', 'slack', 'HOOK')"


@pytest.mark.parametrize(
    ("call", "mistake"),
    [
        ("put_route('r', 'opps', 'run')", "route r: unknown channel 'opps'"),
        ("put_route('r', 'ops', 'rain')", "breaks the rule: event is known"),
        ("put_route('r', 'ops', 'run', severity => 'error')", "an alert has severity and subject"),
        ("put_route('r', 'ops', 'alert', pipeline => 'x')", "a run has pipeline and status"),
        ("put_route('r', 'ops', 'run', statuses => '{lost}')", "route statuses are known"),
    ],
)
def test_a_mistake_is_named(shelf: Shelf, call: str, mistake: str):
    assert mistake in shelf.mistakes(CHANNEL, call)
