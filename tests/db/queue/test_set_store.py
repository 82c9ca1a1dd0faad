"""set_store: an operator moves a store."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy
from tests.plan import Row


def store(toy: Toy) -> Row:
    (row,) = toy.sql("select url, endpoint, key_id_name from headgate.stores where name = 'lake'")
    return row


def test_a_store_is_where_the_change_says_from_now_on(toy: Toy):
    toy.sql("insert into headgate.stores (name, url) values ('lake', 'file:///lake')")
    moved = toy.row(
        "set_store", p_store="lake", p_url="s3://bucket/lake", p_endpoint="http://127.0.0.1:9000",
        p_key_id_name="KEY_ID", p_secret_name="SECRET",
    )  # fmt: skip

    assert (moved["store"], moved["url"]) == ("lake", "s3://bucket/lake")
    assert store(toy) == {
        "url": "s3://bucket/lake", "endpoint": "http://127.0.0.1:9000", "key_id_name": "KEY_ID",
    }  # fmt: skip
    assert (
        toy.scalar("select count(*) from headgate.v_operator_actions where action = 'set_store'")
        == 1
    )


def test_an_unknown_store_is_named_with_those_there_are(toy: Toy):
    toy.sql("insert into headgate.stores (name, url) values ('lake', 'file:///lake')")
    with toy.refused("HG008", "unknown store: 'lak'", "lake"):
        toy.call("set_store", p_store="lak", p_url="file:///x")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"p_key_id_name": "HEADGATE_PASSWORD"}, "no_way_into_the_database"),
        ({"p_secret_name": "pgpassword"}, "no_way_into_the_database"),
        ({"p_endpoint": "ftp://here"}, "endpoint_is_http"),
        ({"p_url": None}, "null value"),
    ],
    ids=str,
)
def test_a_wrong_place_is_refused_whole(toy: Toy, changes: Row, told: str):
    toy.sql("insert into headgate.stores (name, url) values ('lake', 's3://lake')")
    place = {"p_url": "s3://pond", "p_key_id_name": "KEY_ID", "p_secret_name": "KEY", **changes}
    with toy.unchanged(), toy.refused("HG008", "store lake: ", told):
        toy.call("set_store", p_store="lake", **place)
