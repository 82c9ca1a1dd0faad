"""put_operation(..., into => ...): the generated ingest function reads like a hand-written one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.conftest import Toys
from tests.db.declare.conftest import Shelf
from tests.db.together import meanwhile, waits
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


def test_a_written_ingest_function_writes_only_what_changed_and_reports_records_and_watermark(
    leaves: Shelf, toy: Toy
):
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


def test_the_written_function_is_the_plan_s_and_is_written_once(leaves: Shelf, toy: Toy):
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


def test_mistakes_of_into_are_reported_at_once(leaves: Shelf):
    said = leaves.mistakes(
        PUT.replace('"body":', '"boddy":').replace("$.deep.size", "deep size"),
        PUT.replace("'leaf'", "'twig'").replace("toy.leaves", "toy.leafs"),
        PUT.replace("'leaf'", "'root'").replace('"body": "$.body", ', ""),
        PUT.replace("'leaf'", "'bud'").replace("key => '{leaf_id}'", "key => '{size}'"),
    )

    for part in (
        "operation leaf: toy.leaves has no column 'boddy'",
        "did you mean body?",
        "operation leaf: column size is not a JSON path: 'deep size'",
        "operation twig: into: there is no table 'toy.leafs'",
        "did you mean toy.leaves?",
        "operation root: toy.leaves.body is not null and has no value in columns",
        "operation bud: toy.leaves has no unique key (size)",
    ):
        assert part in said, said
    assert said.count("operation leaf") == 2, said  # the misspelt column is not missing, too


def test_a_mistake_in_it_makes_no_second_one_of_what_needs_it(leaves: Shelf):
    said = leaves.mistakes(
        PUT.replace("toy.leaves", "toy.leafs").replace(
            "rows =>", "request => 'GET /x?page={page.cursor?}', next_page => '$.next', rows =>"
        )
    )

    assert said.count("operation leaf") == 1, said


STAGE = "create table toy.buds (id integer, body text, size numeric, at date, asset_id bigint)"
STAGED = (
    """put_provider('shelf', kind => 'postgres', secret_name => 'SHELF_DSN')""",
    (
        """put_operation('leaf', 'tomes', due => 'once', provider => 'shelf', statement => 'select 1 as id',
    stage => 'toy.buds', "into" => 'toy.leaves', key => '{leaf_id}', sequence_by => 'seen', watermark => 'at',
    columns => '{"leaf_id": "id", "body": "body", "size": "size", "seen": "at"}')"""
    ),
)


def merge(toy: Toy, *rows: tuple[Any, ...], assets: str = "{1, 2}") -> list[tuple[Any, ...]]:
    """Stage rows (id, body, size, at, asset) for a lease, and others for one that is lost; merge them."""
    toy.sql("delete from headgate_stage.leaf")
    for lease, staged in ((2, rows), (1, [(x[0] + 100, *x[1:]) for x in rows])):
        for number, body, size, at, asset in staged:
            toy.sql(
                f"insert into headgate_stage.leaf values (7, {lease}, %(asset)s, %(id)s, %(body)s, %(size)s, %(at)s)",
                id=number, body=body, size=size, at=at, asset=asset,
            )  # fmt: skip
    found = toy.sql(
        "select asset_id, status, records, watermark::text from"
        """ toy.ingest_leaf('{"chunk_id": 7, "lease_no": 2}', %(assets)s, null) order by asset_id""",
        assets=assets,
    )
    return [tuple(x.values()) for x in found]


def test_staged_rows_are_merged_as_those_of_an_answer(leaves: Shelf, toy: Toy):
    toy.connection.execute(STAGE)
    assert leaves.put(*STAGED)[1] == "created"
    found = "select asset_id, leaf_id, body, size::text from toy.leaves order by leaf_id"

    assert merge(toy, (1, "green", 1, "2026-01-02", 1), (2, "green", 1, "2026-01-03", 1)) == [
        (1, "success", 2, "2026-01-03 00:00:00+00"),
        (2, "success", 0, None),
    ]
    assert merge(
        toy,
        (1, "green", 1, "2026-01-02", 1),  # unchanged
        (2, "older", 1, "2026-01-01", 1),  # out of sequence
        (3, "red", 2, "2026-01-05", 2),
        (3, "older", 2, "2026-01-04", 2),
    ) == [(1, "success", 0, "2026-01-02 00:00:00+00"), (2, "success", 1, "2026-01-05 00:00:00+00")]
    assert [tuple(x.values()) for x in toy.sql(found)] == [
        (1, 1, "green", "1"), (1, 2, "green", "1"), (2, 3, "red", "2")
    ]  # fmt: skip

    assert merge(toy, (1, "brown", 1, "2026-01-09", 2))[1][2] == 1, "it counts for who brought it"


NO_MERGE = """
    create function toy.refuse() returns trigger language plpgsql as $$ begin raise 'merged'; end; $$;
    create trigger no_merge before update on toy.leaves for each statement execute function toy.refuse();
"""


def test_rows_whose_keys_lie_where_the_table_has_none_are_inserted_without_a_merge(
    leaves: Shelf, toy: Toy
):
    toy.connection.execute(STAGE)
    leaves.put(*STAGED)
    toy.connection.execute(NO_MERGE)
    for rows in (
        [(1, "green", 1, "2026-01-02", 1), (9, "green", 1, "2026-01-03", 1)],
        [(3, "green", 1, "2026-01-02", 1), (3, "older", 1, "2026-01-01", 1), (5, "green", 1, "2026-01-03", 1)],
    ):  # fmt: skip
        assert merge(toy, *rows, assets="{1}") == [(1, "success", 2, "2026-01-03 00:00:00+00")]
    assert merge(toy, assets="{1}") == [(1, "success", 0, None)]
    assert toy.scalar("select array_agg(leaf_id || body order by leaf_id) from toy.leaves") == [
        "1green", "3green", "5green", "9green",
    ]  # fmt: skip

    toy.sql("drop trigger no_merge on toy.leaves")
    rows = [(4, "red", 1, "2026-01-04", 1), (5, "red", 1, "2026-01-04", 1)]
    assert merge(toy, *rows, assets="{1}")[0][2] == 2
    assert merge(toy, *rows, assets="{1}")[0][2] == 0


def test_many_rows_that_come_in_the_order_of_their_keys_are_taken_as_they_come(
    leaves: Shelf, toy: Toy
):
    toy.connection.execute(STAGE)
    leaves.put(*STAGED)
    fill = (
        "insert into headgate_stage.leaf select 7, 2, 1, n, 'green', 1, date '2026-01-01'"
        " from generate_series(1, 50000) as n"
    )
    toy.sql(fill)
    assert merge_more(toy, (50_002, "red"), (50_001, "red")) == 50_002
    assert toy.scalar("select array_agg(leaf_id order by ctid) from toy.leaves where body = 'red'") == [
        50_002, 50_001,
    ], "no sort is made for a few that no sample finds"  # fmt: skip

    toy.sql("truncate toy.leaves, headgate_stage.leaf")
    toy.sql(fill)
    assert merge_more(toy, (5, "red")) == 50_000, "a key that comes twice leads to the merge"
    assert toy.scalar("select body from toy.leaves where leaf_id = 5") == "red"


def merge_more(toy: Toy, *rows: tuple[int, str]) -> int:
    """Stage rows (id, body) after those that are there, and return how many were written."""
    for number, body in rows:
        toy.sql(
            "insert into headgate_stage.leaf values (7, 2, 1, %(id)s, %(body)s, 1, '2026-01-02')",
            id=number, body=body,
        )  # fmt: skip
    ask = """select records from toy.ingest_leaf('{"chunk_id": 7, "lease_no": 2}', '{1}', null)"""
    return int(toy.scalar(ask))


def test_rows_that_another_writer_inserts_meanwhile_are_merged(toys: Toys):
    for statement in (TABLE, STAGE):
        toys.one.connection.execute(statement)
    with toys.one.connection.transaction():
        Shelf(toys.one).put(*STAGED)
    one, two = toys.another(autocommit=False), toys.another()
    one.sql("insert into toy.leaves values (2, 1, 'theirs')")
    rows = [(n, "ours", 1, "2026-01-02", 1) for n in (3, 2, 1)]

    with meanwhile(lambda: merge(two, *rows, assets="{1}"), two, toys.one) as answers:
        assert waits(two, toys.one, answers)
        one.connection.commit()
    assert answers == [[(1, "success", 3, "2026-01-02 00:00:00+00")]]
    assert toys.one.scalar("select count(*) from toy.leaves where body = 'ours'") == 3


def test_a_table_without_a_column_for_assets_takes_a_stages_columns_by_their_names(
    leaves: Shelf, toy: Toy
):
    toy.connection.execute(STAGE)
    toy.connection.execute(
        "create table toy.twigs (id bigint primary key, body text, size numeric, at timestamptz);"
        "alter table toy.twigs owner to headgate_plan_toy"
    )
    leaves.put(
        STAGED[0],
        """put_operation('leaf', 'tomes', due => 'once', provider => 'shelf', statement => 'select 1 as id',
        stage => 'toy.buds', "into" => 'toy.twigs', key => '{id}')""",
    )

    assert merge(toy, (1, "a", 1, "2026-01-02", 1), (2, "b", 1, "2026-01-02", 2), (3, "c", 1, None, 2)) == [
        (1, "success", 1, None), (2, "success", 2, None),
    ]  # fmt: skip
    assert toy.scalar("select array_agg(body order by id) from toy.twigs") == ["a", "b", "c"]


def test_mismatches_of_a_stage_and_its_table_are_reported_at_once(leaves: Shelf, toy: Toy):
    toy.connection.execute(STAGE)
    provider, staged = STAGED
    said = leaves.mistakes(
        provider,
        staged.replace('"size": "size"', '"size": "sice"').replace("watermark => 'at'", "watermark => 'when'"),
        staged.replace("'leaf'", "'twig'").replace('"size": "size"', '"size": "body"'),
        staged.replace("'leaf'", "'bud'").replace('"leaf_id": "id", ', "").replace("'seen'", "'raw'"),
        staged.replace("'leaf'", "'nut'").replace("key =>", "rows => '$[*]', key =>"),
        staged.replace("'leaf'", "'cone'").replace("toy.buds", "toy.bugs"),
    )  # fmt: skip

    for part in (
        "operation leaf: column size: stage toy.buds has no column 'sice'",
        "did you mean size?",
        "operation leaf: watermark: stage toy.buds has no column 'when'",
        "operation twig: column size is numeric, and body of the stage text",
        "operation bud: key: 'leaf_id' has no value in columns",
        "operation bud: sequence_by: 'raw' has no value in columns",
        "operation nut: rows: those of the stage are taken",
        "operation cone: stage: there is no table 'toy.bugs'",
    ):
        assert part in said, said
    assert said.count("operation cone") == 1, said
