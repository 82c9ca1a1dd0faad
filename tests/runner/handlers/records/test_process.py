"""Handler `process_data`: its result for a file's records, and its statistics."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet
import pytest

from headgate.handlers.records import keys, lines
from tests.plan import Plan
from tests.runner.handlers.compute_plan import ends, start, write_plan
from tests.runner.handlers.lake import artifacts

RECORDS = [
    {"id": 1, "title": " first ", "user": {"city": "Bonn"}, "score": None},
    {"id": 2, "title": "  ", "user": None, "score": 7},
    {"id": None, "title": "lost"},
    {"id": 1, "title": "again", "user": {"city": ""}, "score": 9007199254740993},
    {"title": "lost, too"},
]
COLUMNS = {"id": "id", "title": "title", "city": "user.city", "score": "score"}
KEPT = [
    {"id": 2, "title": None, "city": None, "score": 7},
    {"id": 1, "title": "again", "city": None, "score": 9007199254740993},
]
TABLE = """
    create table public.posts (id bigint primary key, title text, city text, score bigint);
    create function public.keep_posts(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp as $$ begin return query
        with kept as (
            insert into public.posts select s.id, s.title, s.city, s.score from headgate_stage.mean as s
            where s.chunk_id = (p_context ->> 'chunk_id')::bigint and s.lease_no = (p_context ->> 'lease_no')::integer
            returning posts.id
        )
        select p_asset_ids[1], 'success', (select count(*)::integer from kept), null::timestamptz, null::text;
    end $$;
"""


def processing(plan: Plan, *, operation: dict[str, Any] | None = None, **options: Any) -> None:
    """Write the plan of a processing operation."""
    write_plan(
        plan, "process_data", assets=1, store="lake", artifact_name="{asset.code}", max_attempts=1,
        handler_options=options,
        **{"input_function": "public.raw_files", "ingest_function": None, **(operation or {})},
    )  # fmt: skip
    plan.sql(
        "select headgate._open_stage('mean', stage, ingest_function) from headgate.operations where stage is not null"
    )
    start(plan)


def into_table(plan: Plan, **options: Any) -> None:
    """Write the plan of an operation that processes records into public.posts."""
    operation = {
        "stage": "public.posts", "ingest_function": "public.keep_posts", "chunk_size": 1,
    }  # fmt: skip
    processing(plan, operation=operation, key=["id"], columns=COLUMNS, **options)


def output(plan: Plan) -> Any:
    return plan.scalar("select headgate.step_output('compute', 'r1', 'all')")


async def test_the_last_record_of_each_key_stays_and_texts_are_trimmed(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    processing(plan, formats=["parquet", "ndjson"], key=["id"], columns=COLUMNS)
    await run()

    files = artifacts(plan)
    assert pyarrow.parquet.read_table(io.BytesIO(files["P0.parquet"])).to_pylist() == KEPT
    assert [json.loads(x) for x in files["P0.ndjson"].splitlines()] == KEPT


@pytest.mark.filterwarnings("ignore")
async def test_a_dask_cluster_processes_alike_into_files_and_the_stage(plan, run, raw, cluster):
    raw.put("P0.json", json.dumps(RECORDS))
    plan.sql(TABLE)
    into_table(plan, formats=["ndjson"])
    await run(dask=cluster.scheduler_address)

    assert [json.loads(x) for x in artifacts(plan)["P0.ndjson"].splitlines()] == KEPT
    assert plan.sql("select * from public.posts order by score") == KEPT, ends(plan)
    assert output(plan)["duplicates"] == 1


@pytest.mark.filterwarnings("ignore")
async def test_a_row_that_does_not_fit_the_stage_fails_its_job_on_a_dask_cluster_too(
    plan, run, raw, cluster
):
    raw.put("P0.json", json.dumps([*RECORDS, {"id": 3, "title": "a\0b"}]))
    plan.sql(TABLE)
    into_table(plan)
    await run(dask=cluster.scheduler_address)

    (((outcome, reason),),) = ends(plan).values()
    assert (outcome, "a row does not fit the stage" in str(reason)) == ("failed", True), reason
    assert plan.scalar("select count(*) from headgate_stage.mean") == 0


async def test_the_output_of_processing_has_the_figures(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    processing(plan, key=["id"], columns=COLUMNS)
    await run()

    assert artifacts(plan) == {}
    assert output(plan) == {
        "records": 5, "rows": 2, "duplicates": 1, "without_key": 2, "columns": 4,
        "nulls": {"title": 1, "city": 2},
        "types": {"id": "int8", "title": "string", "city": "string", "score": "int64"},
    }  # fmt: skip


async def test_without_a_key_all_records_stay(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    processing(plan, formats=["ndjson"])
    await run()

    found = [json.loads(x) for x in artifacts(plan)["P0.ndjson"].splitlines()]
    assert [x["title"] for x in found] == ["first", None, "lost", "again", "lost, too"]
    assert found[0]["user.city"] == "Bonn"
    assert (output(plan)["rows"], output(plan)["duplicates"]) == (5, 0)


async def test_rows_go_into_the_stage_and_are_merged_with_the_job(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    plan.sql(TABLE)
    into_table(plan, formats=["csv"])
    await run()

    assert plan.sql("select * from public.posts order by score") == KEPT
    assert list(artifacts(plan)) == ["P0.csv"]
    assert plan.scalar("select records from headgate.v_asset_processing_history") == 2


async def test_a_key_that_is_not_an_exact_value_is_refused_by_name(plan, run, raw):
    raw.put("P0.json", '{"id": 1.5}')
    processing(plan, key=["id"])
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "failed"
    assert "the key id is of the type double" in str(reason)


def test_keys_of_many_blocks_are_as_a_dictionary_has_them(tmp_path, monkeypatch):
    """Each record's value is its position: a dictionary keeps the last of each key, too."""
    from contextlib import ExitStack

    import pyarrow as pa

    monkeypatch.setattr(keys, "PARTS", 3)
    records = [(n * 7919 % 100, "k" if n % 11 else None) for n in range(1003)]
    wanted = {key: n for n, key in enumerate(records) if key[1] is not None}
    lengths = [1, 7, 8, 500, 487]
    with ExitStack() as files:
        found = keys.Keys(tmp_path, ["number", "text"], files)
        at = 0
        for length in lengths:
            block = records[at : at + length]
            found.add(pa.RecordBatch.from_arrays(
                [pa.array([x for x, _ in block]), pa.array([x for _, x in block], pa.string())],
                ["number", "text"],
            ))  # fmt: skip
            at += length
        last = found.last()
        flags = [x for length in lengths for x in last(length).tolist()]

    assert [n for n, flag in enumerate(flags) if flag] == sorted(wanted.values())
    assert found.missing == len([n for n in range(1003) if n % 11 == 0])


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 100)
