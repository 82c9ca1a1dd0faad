"""The input of the handler that sends notices."""

from __future__ import annotations

import json

from tests.db.toy import Toy


def test_a_notice_comes_with_its_channel_and_a_key_of_its_own(toy: Toy):
    for call in (
        "begin_plan('site')",
        "put_channel('ops', 'slack', secret_name => 'OPS_HOOK')",
        "end_plan()",
    ):
        toy.connection.execute(f"select headgate.{call}".encode())
    for key in ("a", "b"):
        toy.call("notify", p_channel="ops", p_subject="News", p_body="It works.", p_key=key)
    toy.add(1)
    ids = [x["asset_id"] for x in toy.sql("select asset_id from headgate.assets")]

    rows = [
        json.loads(x["notice"])
        for x in toy.call("headgate.read_notices", p_context={}, p_asset_ids=ids)
    ]
    assert [(x["subject"], x["channel"], x["to"]["secret_name"]) for x in rows] == [
        ("News", "ops", "OPS_HOOK")
    ] * 2
    assert len({x["key"] for x in rows}) == 2

    toy.sql("delete from headgate.channels")
    gone = toy.call("headgate.read_notices", p_context={}, p_asset_ids=ids)
    assert {json.loads(x["notice"])["to"] is None for x in gone} == {True}
