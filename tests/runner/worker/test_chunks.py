"""A claimed chunk is read as written by the database; an unusable one is the plan's fault."""

from __future__ import annotations

import pytest

from headgate.errors import SecretMissing, WrongPlan
from headgate.worker.chunks import Call, GroupReport, Report, header

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


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Key", "two\nlines"), ("Content-Length", "7"), ("a b", "x"), ("", "x"), ("X", "\x00")],
)
def test_a_header_that_could_end_before_its_end_is_refused(name, value):
    with pytest.raises(WrongPlan, match="cannot be sent"):
        header(name, value)


def test_a_secret_is_read_when_it_is_needed(monkeypatch):
    row = ROW | {"auth": {"in": "header", "name": "X-Key", "secret": "SHOP_TOKEN"}}
    call = Call.from_row(row)

    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with pytest.raises(SecretMissing, match="SHOP_TOKEN"):
        call.auth.secret()
    monkeypatch.setenv("SHOP_TOKEN", " s3cr3t \n")
    assert call.auth.secret() == "s3cr3t"


def test_a_report_in_two_halves_loses_nothing():
    report = Report()
    for n in range(5):
        report.add(n, "success", payload=b"x" * n, requests=n)

    first, rest = report.halves()

    assert (first.asset_ids, rest.asset_ids) == ([0, 1], [2, 3, 4])
    assert first.requests + rest.requests == report.requests
    assert report.size == 10


def test_a_group_has_nothing_to_hand_in_until_an_answer_or_its_end_has_come():
    assert len(GroupReport([1, 2])) == 0
    assert len(GroupReport([1, 2], payloads=[b"{}"])) == 2
    assert len(GroupReport([1, 2], "failed")) == 2
