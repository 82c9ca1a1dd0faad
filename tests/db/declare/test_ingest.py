"""put_operation(..., into => ...): the generated ingest function reads like a hand-written one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

TABLE = """
    create table toy.leaves (
        leaf_id bigint primary key, asset_id bigint not null, body text not null, size numeric,
        seen timestamptz, raw jsonb
    );
    alter table toy.leaves owner to headgate_plan_toy;
"""
PUT = """put_operation('leaf', 'tomes', due => 'once', "into" => 'toy.leaves', rows => '$[*]',
    key => '{leaf_id}', columns => '{"leaf_id": "$.id", "body": "$.body", "size": "$.deep.size",
    "raw": "$.deep"}', watermark => '$.at')"""


@pytest.fixture
def leaves(shelf: Shelf, toy: Toy) -> Shelf:
    toy.connection.execute(TABLE)
    return shelf


def ingest(toy: Toy, *answers: Any) -> list[tuple[Any, ...]]:
    rows = toy.sql(
        "select asset_id, status, records, watermark::text from toy.ingest_leaf("
        "'{}', %(ids)s::bigint[], %(payloads)s::text[]) order by asset_id",
        ids=list(range(1, len(answers) + 1)),
        payloads=[json.dumps(x) for x in answers],
    )
    return [tuple(x.values()) for x in rows]


def leaf(number: int, body: str | None = "green", **more: Any) -> dict[str, Any]:
    return {"id": number, "body": body, "deep": {"size": 1.5}, "at": "2026-01-02", **more}


def test_it_writes_only_what_changed_and_reports_records_and_watermark(leaves: Shelf, toy: Toy):
    assert leaves.put(PUT)[0] == "created"

    assert ingest(toy, [leaf(1), leaf(2, at="2026-01-03")], []) == [
        (1, "success", 2, "2026-01-03 00:00:00+00"),
        (2, "success", 0, None),
    ]
    assert ingest(toy, [leaf(1), leaf(2, "red")], [leaf(3)]) == [
        (1, "success", 1, "2026-01-02 00:00:00+00"),
        (2, "success", 1, "2026-01-02 00:00:00+00"),
    ]
    assert toy.sql("select asset_id, body, size::text, raw from toy.leaves where leaf_id = 2") == [
        {"asset_id": 1, "body": "red", "size": "1.5", "raw": {"size": 1.5}}
    ]


def test_of_a_row_given_twice_the_last_counts(leaves: Shelf, toy: Toy):
    leaves.put(PUT)

    assert ingest(toy, [leaf(1)], [leaf(1, "red")])[1][2] == 1
    assert toy.scalar("select body from toy.leaves") == "red"


def test_it_is_the_plan_s_and_is_written_once(leaves: Shelf, toy: Toy):
    version = "select proowner::regrole::text as owner, xmin::text as version, prosecdef from pg_proc where proname = 'ingest_leaf'"
    leaves.put(PUT)
    before = toy.sql(version)

    assert leaves.put(PUT)[0] == "unchanged"
    assert toy.sql(version) == before
    assert (before[0]["owner"], before[0]["prosecdef"]) == ("headgate_plan_toy", True)


def test_an_answer_itself_is_one_row(leaves: Shelf, toy: Toy):
    leaves.put(
        """put_operation('leaf', 'tomes', due => 'once', "into" => 'toy.leaves', key => '{leaf_id}',
        columns => '{"leaf_id": "$.id", "body": "$.names[0]"}')"""
    )

    assert ingest(toy, {"id": 4, "names": ["oak", "elm"]}) == [(1, "success", 1, None)]
    assert toy.scalar("select body from toy.leaves") == "oak"


def test_what_is_wrong_with_it_is_said_at_once(leaves: Shelf):
    said = leaves.mistakes(
        PUT.replace('"body":', '"boddy":').replace("$.deep.size", "deep size"),
        PUT.replace("'leaf'", "'twig'").replace("toy.leaves", "toy.leafs"),
        PUT.replace("'leaf'", "'bud'").replace("key => '{leaf_id}'", "key => '{size}'"),
    )

    for part in (
        "operation leaf: toy.leaves has no column 'boddy'",
        "did you mean body?",
        "operation leaf: column size is not a JSON path: 'deep size'",
        "operation twig: into: there is no table 'toy.leafs'",
        "did you mean toy.leaves?",
        "operation bud: toy.leaves has no unique key (size)",
    ):
        assert part in said, said
