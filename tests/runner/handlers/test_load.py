"""Handler `load`: exported files of any format become rows of a table."""

from __future__ import annotations

import gzip
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.plan import Plan
from tests.runner.handlers.compute_plan import ends, start, write_plan
from tests.runner.handlers.lake import artifact
from tests.runner.small_plan import insert

KEPT = """
    create table public.kept (
        n integer primary key, t text, d numeric, f double precision, at timestamptz, day date, b boolean, j jsonb
    );
    create table public.untold (u uuid);
    create function public.read_files(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, to_fetch bigint[]) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], array_agg(a.artifact_id order by a.name) from headgate.v_artifacts as a
    $$;
    create function public.merge_kept(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
    returns setof headgate.ingest_result language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp as $$ begin return query
        with kept as (
            insert into public.kept
            select s.n, s.t, s.d, s.f, s.at, s.day, s.b, s.j
            from headgate_stage.mean as s
            where s.chunk_id = (p_context ->> 'chunk_id')::bigint
                and s.lease_no = (p_context ->> 'lease_no')::integer
                and s.asset_id = any (p_asset_ids)
            on conflict (n) do nothing
            returning n
        )
        select p_asset_ids[1], 'success', (select count(*)::integer from kept), null::timestamptz, null::text;
    end $$;
    grant execute on function public.read_files(jsonb, bigint[]) to headgate_runner;
"""
ROWS: list[dict[str, Any]] = [
    {
        "n": 1, "t": "=1+1", "d": Decimal("12345678901234567.890"), "f": -2.5,
        "at": datetime(1850, 1, 2, 3, 4, 5, tzinfo=UTC), "day": date(1850, 1, 2), "b": True, "j": {"a": [1, "x"]},
    },
    {
        "n": 2, "t": "", "d": Decimal("-0.000000001"), "f": float("inf"),
        "at": datetime(2026, 11, 29, 19, 0, 0, 123456, tzinfo=UTC), "day": date(2026, 11, 29), "b": False, "j": None,
    },
    {"n": 3, "t": None, "d": None, "f": None, "at": None, "day": None, "b": None, "j": None},
    {"n": 4, "t": 'two\nlines, "quoted" 🐘', "d": Decimal(7), "f": 0.1, "at": None, "day": None, "b": None, "j": []},
]  # fmt: skip
ARROW = pa.schema(
    [
        ("j", pa.string()), ("n", pa.int16()), ("t", pa.string()), ("d", pa.decimal128(30, 12)), ("f", pa.float64()),
        ("at", pa.timestamp("us", "UTC")), ("day", pa.date32()), ("b", pa.bool_()), ("more", pa.string()),
    ]
)  # fmt: skip
CSV = (
    "more,j,n,t,d,f,at,day,b\n"
    '9,"{""a"": [1, ""x""]}",1,"=1+1",12345678901234567.89,-2.5,1850-01-02 03:04:05Z,1850-01-02,t\n'
    '9,,2,"",-0.000000001,inf,2026-11-29T20:00:00.123456+01:00,2026-11-29,false\n'
    "9,,3,,,,,,\n"
    '9,[],4,"two\nlines, ""quoted"" 🐘",7,0.1,,,\n'
)
NDJSON = (
    '{"n": 1, "t": "=1+1", "d": 12345678901234567.890, "f": -2.5, "at": "1850-01-02T03:04:05+00:00",'
    ' "day": "1850-01-02", "b": true, "j": {"a": [1, "x"]}, "more": 9}\n'
    '{"n": 2, "t": "", "d": -1e-9, "f": "Infinity", "at": "2026-11-29T19:00:00.123456+00:00",'
    ' "day": "2026-11-29", "b": false}\n'
    '{"n": 3, "t": null}\n'
    '{"n": 4, "t": "two\\nlines, \\"quoted\\" 🐘", "d": 7, "f": 0.1, "j": []}\n'
)


def parquet() -> bytes:
    rows = [
        {**row, "j": None if row["j"] is None else str(row["j"]).replace("'", '"')} for row in ROWS
    ]
    sink = pa.BufferOutputStream()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows, ARROW), sink)
    return bytes(sink.getvalue().to_pybytes())


FILES = {
    "kept.parquet": parquet(),
    "kept.csv": CSV.encode(),
    "kept.csv.gz": gzip.compress(CSV.encode(), mtime=0),
    "kept.ndjson": NDJSON.encode(),
    "kept.ndjson.gz": gzip.compress(NDJSON.encode(), mtime=0),
}


@pytest.fixture
def lake(plan, tmp_path, monkeypatch) -> Path:
    """Return the folder of the store `lake`; the operation `mean` loads its files."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    insert(plan, "stores", name="lake", url=f"file://{tmp_path}/lake")
    plan.sql(KEPT)
    return Path(tmp_path / "lake")


def loading(plan: Plan, stage: str | None = "public.kept", **operation: Any) -> None:
    write_plan(
        plan, "load", assets=1,
        **{
            "input_function": "public.read_files", "ingest_function": "public.merge_kept", "chunk_size": 1,
            "stage": stage, "max_attempts": 1, "due_rule": "run", **operation,
        },
    )  # fmt: skip
    plan.sql(
        "select headgate._open_stage('mean', stage, ingest_function) from headgate.operations where stage is not null"
    )
    start(plan)


def kept(plan: Plan) -> list[dict[str, Any]]:
    return plan.sql(
        "select n, t, d, f, at at time zone 'UTC' as at, day, b, j from public.kept order by n"
    )


@pytest.mark.parametrize("name", FILES)
async def test_each_format_is_loaded_with_types_nulls_and_digits(plan, run, lake, name):
    artifact(plan, lake, name, FILES[name])
    loading(plan)
    await run()

    wanted = [{**x, "at": x["at"] and x["at"].replace(tzinfo=None)} for x in ROWS]
    assert kept(plan) == wanted, ends(plan)
    assert plan.scalar("select headgate.step_output('compute', 'r1', 'all')") == {
        "files": 1,
        "rows": 4,
    }
    assert plan.scalar("select count(*) from headgate_stage.mean") == 0
    assert list((lake.parent / "spool").iterdir()) == []


async def test_a_file_is_loaded_once_however_often_it_is_tried(plan, run, lake):
    artifact(plan, lake, "a.parquet", FILES["kept.parquet"])
    loading(plan)
    await run()
    start(plan, "r2")
    await run("r2")

    assert len(kept(plan)) == 4
    (row,) = plan.sql("select sum(records)::integer as rows from headgate.asset_processing_details")
    assert row == {"rows": 4}


async def test_several_files_are_loaded_in_one_commit(plan, run, lake):
    artifact(plan, lake, "a.ndjson", b'{"n": 1, "d": 1}\n')
    artifact(plan, lake, "b.csv", CSV.replace("\n9,", "\n8,").encode())
    loading(plan)
    await run()

    assert [x["n"] for x in kept(plan)] == [1, 2, 3, 4]


async def test_nothing_to_load_is_skipped_and_says_so(plan, run, lake):
    loading(plan)
    await run()

    assert ends(plan) == {"P0": {("skipped", "there is no file to load")}}


WRONG = CSV.replace("-2.5", "much")


@pytest.mark.parametrize(
    ("name", "content", "outcome", "said"),
    [
        ("a.csv", WRONG.encode(), "failed", "a.csv: column f: CSV conversion error to double"),
        ("a.csv", b"n,t\n1,x\n", "failed", "a.csv: it has no column d"),
        ("a.csv", b"", "failed", "a.csv: it is empty, without a header"),
        ("a.csv.gz", b"no gzip", "failed", "a.csv.gz: Not a gzipped file"),
        ("a.parquet", b"PAR1", "failed", "a.parquet: it is not a valid Parquet file"),
        ("a.ndjson", b"[1]\n", "failed", "a.ndjson: line 1 is not a JSON object"),
        ("a.ndjson", b'{"n": 1}\n{"n": ', "failed", "a.ndjson: line 2 is not JSON: "),
        ("a.ndjson", b'{"n": 1.5}\n', "failed", "a.ndjson: column n is string, no int32: "),
        ("a.ndjson", b'{"n": 1, "j": "{"}\n', "failed", "a row does not fit the stage: invalid input syntax for"),
        ("a.ndjson", b'{"n": 1, "t": "\\u0000"}\n', "failed", "a row does not fit the stage: invalid byte sequence"),
        ("a.xlsx", b"PK", "deferred", "load does not read 'a.xlsx': its name ends in .parquet, .csv,"),
    ],
)  # fmt: skip
async def test_values_that_cannot_be_loaded_are_named(
    plan, run, lake, name, content, outcome, said
):
    artifact(plan, lake, name, content)
    loading(plan)
    await run()

    (((found, reason),),) = ends(plan).values()
    assert (found, said in str(reason)) == (outcome, True), reason
    assert kept(plan) == []
    assert plan.scalar("select count(*) from headgate_stage.mean") == 0


async def test_a_type_that_no_handler_writes_is_the_plan_s_fault(plan, run, lake):
    artifact(plan, lake, "a.csv", b"u\n1\n")
    loading(plan, "public.untold")
    await run()

    (((found, reason),),) = ends(plan).values()
    assert found == "deferred"
    assert "column u of the stage is uuid, which no handler can write: make it text there" in str(
        reason
    )


async def test_an_operation_without_a_stage_is_told_to_have_one(plan, run, lake):
    artifact(plan, lake, "a.csv", CSV.encode())
    loading(plan, None, store="lake", ingest_function=None)
    await run()

    (((found, reason),),) = ends(plan).values()
    assert found == "deferred"
    assert "give the operation one (stage => '...')" in str(reason)


async def test_a_file_that_somebody_has_changed_is_not_loaded(plan, run, lake):
    artifact(plan, lake, "a.csv", CSV.encode()).write_text(CSV.replace("7", "8"))
    loading(plan, max_wait="1 second", backoff="0.1 seconds")
    await run()

    (((_, reason),),) = ends(plan).values()
    assert "store lake: a.csv has other content than was put there" in str(reason)
    assert kept(plan) == []


async def test_a_file_that_is_gone_is_named(plan, run, lake):
    artifact(plan, lake, "a.csv", CSV.encode()).unlink()
    loading(plan, max_wait="1 second", backoff="0.1 seconds")
    await run()

    (((_, reason),),) = ends(plan).values()
    assert "store lake: a.csv is gone, though it has its row in v_artifacts" in str(reason)
