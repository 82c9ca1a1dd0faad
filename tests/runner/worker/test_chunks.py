"""A claimed chunk is read as written by the database; an unusable one is the plan's fault."""

from __future__ import annotations

import pytest

from headgate.errors import WrongPlan
from headgate.worker.chunks import Call

ROW = {"base_url": "http://127.0.0.1:9/api/", "rules": []}


def test_missing_values_of_a_row_have_defaults():
    call = Call.from_row(ROW)

    assert (call.base_url, call.method) == ("http://127.0.0.1:9/api", "GET")
    assert (call.timeout_seconds, call.max_bytes, call.in_flight) == (30.0, 67_108_864, 1)
    assert (call.serves_all, call.probe, call.schedule, call.stop_before_seconds) == (
        False,
        False,
        None,
        None,
    )


def test_a_provider_without_an_address_cannot_be_called():
    with pytest.raises(WrongPlan, match="no base URL"):
        Call.from_row({**ROW, "base_url": None})
