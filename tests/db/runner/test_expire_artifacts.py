"""expire_artifacts: artifacts that a handler releases expire, and their keys are removed."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


@pytest.fixture
def ids(toy: Toy) -> list[int]:
    """Make three artifacts of store a, and one of b."""
    toy.sql("insert into headgate.stores (name, url) values ('a', 'file:///a'), ('b', 'file:///b')")
    rows = toy.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at)"
        " select case when n = 4 then 'b' else 'a' end, n::text, 'key/' || n, repeat('0', 64), 1, 'text/csv',"
        " headgate.clock() from generate_series(1, 4) as n returning artifact_id"
    )
    return [x["artifact_id"] for x in rows]


def expire(toy: Toy, ids: list[int]) -> list[str]:
    rows = toy.sql("select * from headgate.expire_artifacts('a', %(ids)s) as key", ids=ids)
    return sorted(x["key"] for x in rows)


def test_only_artifacts_of_the_store_expire(toy: Toy, ids: list[int]):
    assert expire(toy, [ids[0], ids[3]]) == ["key/1"]
    rows = toy.sql("select key from headgate.artifacts where expires_at <= headgate.clock()")
    assert rows == [{"key": "key/1"}]


def test_artifacts_released_before_are_returned_again(toy: Toy, ids: list[int]):
    expire(toy, ids[:2])
    toy.sql("select * from headgate.remove_keys('a', '{}')")
    before = toy.sql("select * from headgate.artifacts order by artifact_id")
    toy.later(hours=1)

    assert expire(toy, ids[:2]) == ["key/1", "key/2"]
    assert toy.sql("select * from headgate.artifacts order by artifact_id") == before
