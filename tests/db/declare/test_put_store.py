"""put_store: where files go, and the operations that create them."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import PROVIDER, Shelf
from tests.db.toy import Toy

STORE = "put_store('lake', 'file:///var/lake', description => 'where files lie')"
BUCKET = (
    "put_store('lake', 's3://bucket/some/prefix', endpoint => 'http://127.0.0.1:9000', region => 'eu-west-1',"
    " key_id_name => 'LAKE_KEY_ID', secret_name => 'LAKE_SECRET')"
)
WRITING = (
    "put_operation('dust', 'tomes', due => 'every 1 day', handler => 'some.module:write', store => 'lake',"
    " artifact_name => 'dust/{asset.code}-{run.date}.json', keep_files => '30 days')"
)


def place(toy: Toy) -> str | None:
    rows = toy.sql("select url from headgate.stores where name = 'lake' and not is_retired")
    return rows[0]["url"] if rows else None


def test_an_operation_puts_files_into_a_store(shelf: Shelf, toy: Toy):
    assert shelf.put(STORE, WRITING)[:2] == ["created", "created"]
    assert shelf.put(STORE, WRITING)[:2] == ["unchanged"] * 2

    assert toy.sql("select store, artifact_name from headgate.operations where name = 'dust'") == [
        {"store": "lake", "artifact_name": "dust/{asset.code}-{run.date}.json"}
    ]


def test_a_bucket_names_its_secrets(shelf: Shelf, toy: Toy):
    shelf.put(BUCKET)

    query = "select endpoint, region, key_id_name, secret_name from headgate.stores where url like 's3:%%'"
    assert toy.sql(query) == [
        {
            "endpoint": "http://127.0.0.1:9000",
            "region": "eu-west-1",
            "key_id_name": "LAKE_KEY_ID",
            "secret_name": "LAKE_SECRET",
        }
    ]


def test_a_store_that_is_gone_is_gone(shelf: Shelf, toy: Toy):
    shelf.put(STORE)

    assert shelf.put(PROVIDER)[-1] == "retired: store lake"
    assert toy.sql("select from headgate.stores where name = 'lake'") == []


def test_a_store_that_has_artifacts_stays_as_retired(shelf: Shelf, toy: Toy):
    shelf.put(STORE)
    toy.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at)"
        " values ('lake', 'a', 'a-0', repeat('0', 64), 1, 'text/plain', headgate.clock())"
    )

    assert shelf.put(PROVIDER)[-1] == "retired: store lake"
    assert place(toy) is None
    assert shelf.put(STORE)[0] == "changed: is_retired"
    assert place(toy) == "file:///var/lake"


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("/var/lake", "store url is a folder or a bucket"),
        ("file://var/lake", "store url is a folder or a bucket"),
        ("s3://", "store url is a folder or a bucket"),
        ("s3://bucket/", "store url is a folder or a bucket"),
        ("https://bucket", "store url is a folder or a bucket"),
        ("file:///var/../etc", "store url has no dot segments"),
        ("s3://bucket/a//b", "store url has no dot segments"),
    ],
)
def test_a_store_is_a_folder_or_a_bucket(shelf: Shelf, url: str, rule: str):
    assert rule in shelf.mistakes(f"put_store('lake', '{url}')")


def test_a_folder_has_no_secrets_and_a_bucket_both(shelf: Shelf):
    assert "a folder has no server" in shelf.mistakes(
        STORE[:-1] + ", key_id_name => 'A', secret_name => 'B')"
    )
    assert "a store names both its secrets" in shelf.mistakes(
        "put_store('lake', 's3://bucket', key_id_name => 'A')"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("store => 'lake'", "operation dust: unknown store 'lake'"),
        ("artifact_name => 'a'", "artifact name has its store"),
        ("keep_files => '1 day'", "kept files have their store"),
        ("handler_options => '[]'", "options have their handler"),
    ],
)
def test_files_need_a_store(shelf: Shelf, settings: str, said: str):
    operation = f"put_operation('dust', 'tomes', due => 'run', handler => 'a:b', {settings})"
    assert said in shelf.mistakes(operation)


@pytest.mark.parametrize("name", ["/a", "a/", "a//b", "../a", "a/./b", "a\\b", ""])
def test_an_artifact_s_name_is_a_path(shelf: Shelf, name: str):
    writing = WRITING.replace("dust/{asset.code}-{run.date}.json", name)
    assert "artifact name is a path" in shelf.mistakes(STORE, writing)


def test_an_unknown_field_in_an_artifact_s_name_is_named(shelf: Shelf):
    writing = WRITING.replace("{run.date}", "{run.dat}")
    assert "its template names the missing field {run.dat}" in shelf.mistakes(STORE, writing)


def test_an_operators_value_stays_until_the_files_value_changes(shelf: Shelf, toy: Toy):
    shelf.put(STORE)
    toy.call("set_store", p_store="lake", p_url="file:///srv/lake")
    shelf.put(STORE)
    assert place(toy) == "file:///srv/lake"

    assert shelf.put(STORE.replace("/var", "/opt"))[0] == "changed: url"
    assert place(toy) == "file:///opt/lake"
