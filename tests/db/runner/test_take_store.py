"""take_store: each store is cleaned once a day, by one runner."""

from __future__ import annotations

from tests.db.toy import Toy


def test_each_store_is_given_out_once_a_day(toy: Toy):
    toy.sql("insert into headgate.stores (name, url) values ('a', 'file:///a'), ('b', 'file:///b')")

    (row,) = toy.sql("select count(*) as stores from headgate.stores")  # plans declare some

    def given() -> set[str]:
        return {x["name"] for _ in range(row["stores"]) for x in toy.call("take_store")}

    assert {"a", "b"} <= given()
    assert toy.call("take_store") == []
    toy.later(hours=23)
    assert toy.call("take_store") == []
    toy.later(hours=1)
    assert {"a", "b"} <= given()


def test_a_store_comes_with_its_place_and_the_names_of_its_secrets(toy: Toy):
    toy.sql(
        "insert into headgate.stores (name, url, endpoint, region, key_id_name, secret_name)"
        " values ('a', 's3://bucket', 'http://s3', 'here', 'ID', 'SECRET')"
    )

    assert toy.call("take_store") == [
        {
            "name": "a", "url": "s3://bucket", "endpoint": "http://s3", "region": "here", "key_id_name": "ID",
            "secret_name": "SECRET",
        }
    ]  # fmt: skip
