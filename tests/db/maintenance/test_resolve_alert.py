"""Resolving an alert whose cause is gone."""

from __future__ import annotations

from tests.db.toy import Toy


def test_resolving_closes_the_open_alert_of_its_subject_alone(toy: Toy):
    for subject in ("x", "y"):
        toy.call("raise_alert", p_severity="error", p_subject=subject, p_message="wrong")
    toy.call("resolve_alert", p_subject="x")
    toy.call("resolve_alert", p_subject="never raised")

    open_ones = toy.sql("select subject from headgate.v_alerts where resolved_at is null")
    assert open_ones == [{"subject": "y"}]
