"""Names of the secrets a pipeline's runners need."""

from __future__ import annotations

from tests.db.toy import Toy


def test_each_provider_s_secret_is_named_once(toy: Toy):
    rows = toy.call("required_secrets", p_pipeline="library")

    assert rows == [{"needed_by": "provider shop", "secret_name": "SHOP_TOKEN"}]


def test_a_pipeline_without_secrets_needs_none(toy: Toy):
    assert toy.call("required_secrets", p_pipeline="aside") == []


def test_both_secrets_of_a_store_are_named(toy: Toy):
    toy.sql(
        "insert into headgate.stores (name, url, key_id_name, secret_name) values ('lake', 's3://bucket', 'ID', 'KEY')"
    )
    toy.tune(path=None, ingest_function=None, units=0, handler="some:handler", store="lake")

    assert toy.call("required_secrets", p_pipeline="plain")[-2:] == [
        {"needed_by": "store lake", "secret_name": "ID"},
        {"needed_by": "store lake", "secret_name": "KEY"},
    ]


def test_an_unknown_pipeline_is_refused(toy: Toy):
    with toy.refused("HG001"):
        toy.call("required_secrets", p_pipeline="x")


def test_without_a_pipeline_the_secrets_of_all_and_of_channels_are_named(toy: Toy):
    for call in ("begin_plan('site')", "put_channel('ops', 'slack', 'OPS_HOOK')", "end_plan()"):
        toy.connection.execute(f"select headgate.{call}".encode())

    named = {x["needed_by"]: x["secret_name"] for x in toy.call("required_secrets")}
    assert named.items() >= {"provider shop": "SHOP_TOKEN", "channel ops": "OPS_HOOK"}.items()
