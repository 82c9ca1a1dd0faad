"""headgate.why, the short name of headgate.explain_asset_day."""

from __future__ import annotations

from tests.db.toy import Toy


def test_why_answers_as_explain_asset_day_does(toy: Toy):
    toy.add(1)
    toy.start("plain")
    day = {"p_asset": "A0", "p_on": toy.now.date()}
    assert toy.call("why", **day) == toy.call("explain_asset_day", **day) != []
