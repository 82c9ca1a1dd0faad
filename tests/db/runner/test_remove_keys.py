"""remove_keys: keys without an artifact and expired keys are removed; a file put again meanwhile is not lost."""

from __future__ import annotations

import pytest
from psycopg.types.json import Jsonb

from tests.db.queue.test_keep_artifacts import artifacts, complete, file, lake
from tests.db.toy import Toy
from tests.plan import Row

__all__ = ["lake"]


@pytest.fixture
def made(lake: Toy) -> tuple[Toy, int]:
    """Make an artifact under the key a.txt-0, kept for two days."""
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()
    complete(lake, chunk, [file(asset_id)])
    lake.finish()
    return lake, asset_id


def removed(toy: Toy, *keys: str) -> list[str]:
    rows = toy.sql(
        "select key from headgate.remove_keys('lake', %(keys)s) as key order by key",
        keys=list(keys),
    )
    return [x["key"] for x in rows]


def test_a_key_that_no_artifact_has_may_go(made: tuple[Toy, int]):
    assert removed(made[0], "a.txt-0", "orphan", "other") == ["orphan", "other"]
    assert artifacts(made[0])[0]["deleted_at"] is None


def test_an_artifact_that_has_expired_goes_named_or_not(made: tuple[Toy, int]):
    toy, _ = made
    toy.later(days=2)

    assert removed(toy) == ["a.txt-0"]
    (row,) = artifacts(toy)
    assert (row["deleted_at"], row["is_current"]) == (toy.now, False)
    assert removed(toy, "a.txt-0") == ["a.txt-0"]


def test_a_key_stays_while_another_artifact_has_it(made: tuple[Toy, int]):
    toy, _ = made
    toy.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at)"
        " select store, 'other', key, sha256, bytes, media_type, created_at from headgate.artifacts"
    )
    toy.later(days=3)

    assert removed(toy) == []
    assert [x["name"] for x in artifacts(toy) if x["deleted_at"] is None] == ["other"]


def again(toy: Toy, asset_id: int) -> Row:
    toy.begin(run="r2")
    (chunk,) = toy.claim()
    return chunk


def test_a_file_that_is_being_removed_is_no_artifact_until_it_is_gone(made: tuple[Toy, int]):
    toy, asset_id = made
    toy.later(days=2)
    removed(toy)
    chunk = again(toy, asset_id)

    with toy.refused("55006", "is just being removed from its store"):
        complete(toy, chunk, [file(asset_id)])
    toy.call("forget_keys", p_store="lake", p_keys=["a.txt-0"])
    complete(toy, chunk, [file(asset_id)])
    assert [x["deleted_at"] for x in artifacts(toy)] == [toy.now, None]


def test_a_runner_that_died_while_it_removed_holds_nobody_up_for_long(made: tuple[Toy, int]):
    toy, asset_id = made
    toy.later(days=2)
    removed(toy)
    toy.later(hours=1)
    complete(toy, again(toy, asset_id), [file(asset_id)])

    assert artifacts(toy)[1]["is_current"]


def test_only_named_and_old_keys_are_forgotten(made: tuple[Toy, int]):
    toy, _ = made
    removed(toy, "old")
    toy.later(days=1, seconds=1)
    removed(toy, "new", "gone")
    toy.call("forget_keys", p_store="lake", p_keys=["gone"])

    assert toy.sql("select key from headgate.removed_keys") == [{"key": "new"}]


def test_rows_of_artifacts_that_are_gone_are_forgotten_with_history(made: tuple[Toy, int]):
    toy, _ = made
    toy.later(days=2)
    removed(toy)
    toy.later(days=400)
    toy.sql("select headgate.retain(interval '399 days')")

    assert artifacts(toy) == []


def test_completions_say_which_key_not_which_name(lake: Toy):
    (asset_id,) = lake.add()
    removed(lake, "a.txt")
    lake.begin()
    (chunk,) = lake.claim()
    lake.complete(chunk, p_files=Jsonb([file(asset_id)]))

    assert len(artifacts(lake)) == 1
