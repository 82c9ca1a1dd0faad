"""Alerts raised by plans: one open alert per subject."""

from __future__ import annotations

from tests.db.toy import Toy

ALERTS = (
    "select severity, message, resolved_at is null as is_open from headgate.v_alerts order by 2"
)


def test_a_subject_has_one_open_alert(toy: Toy):
    for message in ("first", "second"):
        toy.call("raise_alert", p_severity="error", p_subject="x", p_message=message)

    assert toy.sql(ALERTS) == [{"severity": "error", "message": "first", "is_open": True}]


def test_a_resolved_subject_may_be_raised_again(toy: Toy):
    toy.call("raise_alert", p_severity="error", p_subject="x", p_message="first")
    toy.call("resolve_alert", p_subject="x")
    toy.call("resolve_alert", p_subject="never raised")
    toy.call("raise_alert", p_severity="warning", p_subject="x", p_message="second")

    assert [(x["message"], x["is_open"]) for x in toy.sql(ALERTS)] == [
        ("first", False),
        ("second", True),
    ]
