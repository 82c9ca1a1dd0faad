"""The files of a completion become artifacts together with their job, or not at all."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.db.toy import Toy
from tests.plan import Row


@pytest.fixture
def lake(toy: Toy) -> Toy:
    """Let the operation look put files into a store."""
    toy.sql("insert into headgate.stores (name, url) values ('lake', 'file:///lake')")
    toy.tune(
        path=None, ingest_function=None, units=0, handler="some:handler", store="lake",
        artifact_name="{asset.code}/{run.id}.txt", keep_files="2 days",
    )  # fmt: skip
    return toy


def file(asset_id: int, name: str = "a.txt", digit: str = "0", **more: Any) -> Row:
    return {
        "asset_id": asset_id, "name": name, "key": f"{name}-{digit}", "sha256": digit * 64, "bytes": 3, "rows": None,
        "media_type": "text/plain",
    } | more  # fmt: skip


def complete(toy: Toy, chunk: Row, files: list[Row], outcome: str = "success") -> None:
    toy.complete(chunk, outcome, p_files=Jsonb(files))


def artifacts(toy: Toy) -> list[Row]:
    return toy.sql("select * from headgate.v_artifacts order by artifact_id")


def test_a_handler_is_told_its_store_and_the_names_of_its_files(lake: Toy):
    lake.add(2)
    lake.begin()
    (chunk,) = lake.claim()

    assert chunk["call"]["store"]["url"] == "file:///lake"
    assert chunk["call"]["names"] == ["A0/r1.txt", "A1/r1.txt"]


def test_an_asset_for_which_there_is_no_name_is_refused_alone(lake: Toy):
    lake.tune(artifact_name="{asset.isin}.txt")
    lake.add(1, attributes={"isin": "DE"})
    lake.add(1, first=1)
    lake.begin()
    (chunk,) = lake.claim()

    named, refused = chunk["call"]["names"]
    assert named == "DE.txt"
    assert "asset.isin" in refused["refused"]


def test_files_of_a_job_that_succeeded_are_artifacts(lake: Toy):
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()
    complete(lake, chunk, [file(asset_id, rows=7)])

    (row,) = artifacts(lake)
    assert (row["name"], row["url"], row["bytes"], row["rows"]) == (
        "a.txt",
        "file:///lake/a.txt-0",
        3,
        7,
    )
    assert (row["pipeline"], row["run_id"], row["operation"], row["asset"]) == (
        "plain",
        "r1",
        "look",
        "A0",
    )
    assert row["expires_at"] - row["created_at"] == lake.now - lake.now.replace(
        day=lake.now.day - 2
    )
    assert row["is_current"]


@pytest.mark.parametrize("outcome", ["failed", "retry", "skipped"])
def test_files_of_another_job_are_none(lake: Toy, outcome: str):
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()
    complete(lake, chunk, [file(asset_id)], outcome)

    assert artifacts(lake) == []


def test_a_superseded_runner_makes_no_row(lake: Toy):
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()
    lake.expire(chunk)
    lake.claim("w2")

    with lake.refused("HG012"):
        complete(lake, chunk, [file(asset_id)])
    assert artifacts(lake) == []


def test_a_file_that_is_made_again_is_the_same_artifact(lake: Toy):
    (asset_id,) = lake.add()
    for run in ("r1", "r2"):
        lake.begin(run=run)
        (chunk,) = lake.claim()
        complete(lake, chunk, [file(asset_id)])
        lake.finish(run)
        lake.later(days=1)

    (row,) = artifacts(lake)
    assert row["run_id"] == "r2"


def test_the_newest_of_a_name_is_current(lake: Toy):
    (asset_id,) = lake.add()
    for run, digit in (("r1", "a"), ("r2", "b"), ("r3", "a")):
        lake.begin(run=run)
        (chunk,) = lake.claim()
        complete(lake, chunk, [file(asset_id, digit=digit)])
        lake.finish(run)
        lake.later(days=1)

    assert [(x["sha256"][0], x["is_current"]) for x in artifacts(lake)] == [
        ("a", True),
        ("b", False),
    ]


def test_files_without_a_store_are_refused(lake: Toy):
    lake.tune(keep_files=None)
    lake.tune(artifact_name=None)
    lake.tune(store=None)
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()

    with lake.refused("HG008", "operation look has no store for files"):
        complete(lake, chunk, [file(asset_id)])


def test_a_name_that_leads_elsewhere_is_refused(lake: Toy):
    (asset_id,) = lake.add()
    lake.begin()
    (chunk,) = lake.claim()

    with (
        pytest.raises(psycopg.errors.CheckViolation, match="artifact_name_is_a_relative_path"),
        lake.connection.transaction(),
    ):
        complete(lake, chunk, [file(asset_id, name="../a")])
