"""Handler `convert_formats` converts a file of a store; other libraries read the results here."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet
import pytest
from python_calamine import CalamineWorkbook

from tests.plan import Plan
from tests.runner.handlers.compute_plan import ends, start, write_plan
from tests.runner.handlers.lake import artifacts
from tests.runner.handlers.read_back import read_back

RECORDS = [
    {"id": 1, "title": '=1+1, "quoted"\nÄ', "user": {"name": "Ada", "tags": ["x", "y"]}, "score": 1.5},
    {"id": 300, "title": "", "user": None, "score": None},
    {"id": 2, "title": None, "user": {"name": "Bob", "tags": []}, "score": -2},
]  # fmt: skip


def converting(
    plan: Plan,
    *formats: str,
    assets: int = 1,
    name: str = "{run.id}/{asset.code}",
    input_function: str = "public.raw_files",
    **options: Any,
) -> None:
    """Write the plan of a converting operation."""
    write_plan(
        plan, "convert_formats", assets=assets, input_function=input_function, ingest_function=None,
        store="lake", artifact_name=name, max_attempts=1, max_wait="1 second", backoff="0.1 seconds", due_rule="run",
        handler_options={"formats": formats, **options},
    )  # fmt: skip
    start(plan)


async def test_each_format_has_the_same_records(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    converting(plan, "parquet", "csv", "xlsx", "ndjson.gz", "json")
    await run()

    files = artifacts(plan)
    table = pyarrow.parquet.read_table(io.BytesIO(files["r1/P0.parquet"]))
    assert table.to_pylist() == RECORDS
    assert [str(x) for x in table.schema.types[:2]] == ["int16", "string"]
    assert json.loads(files["r1/P0.json"]) == RECORDS
    packed = gzip.decompress(files["r1/P0.ndjson.gz"]).decode()
    assert [json.loads(x) for x in packed.splitlines()] == RECORDS
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(files["r1/P0.xlsx"])).get_sheet_by_index(0)
    rows = list(csv.reader(io.StringIO(files["r1/P0.csv"].decode())))
    head = ["id", "title", "user.name", "user.tags", "score"]
    assert rows[0] == sheet.to_python()[0] == head
    assert rows[1] == ["1", '\'=1+1, "quoted"\nÄ', "Ada", '["x", "y"]', "1.5"]
    assert sheet.to_python()[1] == [1, '=1+1, "quoted"\nÄ', "Ada", '["x", "y"]', 1.5]
    assert [row[:3] for row in rows[2:]] == [["300", "", ""], ["2", "", "Bob"]]


@pytest.mark.filterwarnings("ignore")
async def test_a_dask_cluster_makes_the_same_files(plan, run, raw, cluster):
    raw.put("P0.json", json.dumps(RECORDS))
    converting(plan, "parquet", "csv", "xlsx", "ndjson.gz", "json")
    await run()
    start(plan, "r2")
    await run("r2", dask=cluster.scheduler_address)

    files = artifacts(plan)
    made = {x.removeprefix("r2/"): files.pop(x) for x in list(files) if x.startswith("r2/")}
    assert made == {x.removeprefix("r1/"): y for x, y in files.items()}
    assert len(made) == 5


async def test_a_conversion_s_output_says_what_there_was_and_files_have_the_size_that_is_wanted(
    plan, run, raw
):
    raw.put("P0.json", "".join(f'{{"n": {n}}}\n' for n in range(10)))
    converting(plan, "parquet", "ndjson", name="{asset.code}-{part}", max_rows=4)
    await run()

    files = artifacts(plan)
    assert sorted(files) == [f"P0-{part}.{x}" for part in range(3) for x in ("ndjson", "parquet")]
    assert files["P0-2.ndjson"] == b'{"n": 8}\n{"n": 9}\n'
    assert plan.scalar("select headgate.step_output('compute', 'r1', 'all')") == {
        "records": 10, "columns": 1, "files": 6, "bytes": sum(map(len, files.values())),
    }  # fmt: skip


async def test_types_are_told_or_as_narrow_as_the_values_as_another_library_reads_them(
    plan, run, raw
):
    told = {"at": "timestamptz", "id": "bigint", "total": "numeric(20,2)"}
    raw.put("P0.json", json.dumps([
        {"at": "2026-11-29T02:00:00+01:00", "id": 1, "total": 123456789012345678, "b": 127, "s": -128, "i": 32768, "t": ""},
        {"at": None, "id": None, "total": None, "b": None, "s": 32767, "i": None, "t": None},
    ]))  # fmt: skip
    converting(plan, "parquet", types=told)
    await run()

    types, rows = read_back(next(raw.folder.rglob("*.parquet")))
    assert types == {
        "at": "TIMESTAMP WITH TIME ZONE", "id": "BIGINT", "total": "DECIMAL(20,2)", "b": "TINYINT", "s": "SMALLINT",
        "i": "INTEGER", "t": "VARCHAR",
    }  # fmt: skip
    at = datetime(2026, 11, 29, 1, tzinfo=UTC)
    total = Decimal("123456789012345678.00")
    assert rows == [
        (at, 1, total, 127, -128, 32768, ""),
        (None, None, None, None, 32767, None, None),
    ]


async def test_a_file_that_cannot_be_read_fails_alone(plan, run, raw):
    raw.put("P0.json", json.dumps(RECORDS))
    raw.put("P1.json", '[{"a": 1}, {"a": "x"}]')
    converting(plan, "parquet", assets=2)
    await run()

    assert set(artifacts(plan)) == {"r1/P0.parquet"}
    ((outcome, reason),) = ends(plan)["P1"]
    assert outcome == "failed"
    assert "record 2: column a changed from number to string" in str(reason)


async def test_all_files_of_an_asset_become_one(plan, run, raw):
    raw.put("P0-a.json", '[{"a": 1}, {"a": 2}]')
    raw.put("P0-b.ndjson", '{"a": 300, "b": "x"}')
    converting(plan, "parquet", "json")
    await run()

    files = artifacts(plan)
    rows = [{"a": 1, "b": None}, {"a": 2, "b": None}, {"a": 300, "b": "x"}]
    assert pyarrow.parquet.read_table(io.BytesIO(files["r1/P0.parquet"])).to_pylist() == rows
    assert json.loads(files["r1/P0.json"]) == [{"a": 1}, {"a": 2}, {"a": 300, "b": "x"}]


async def test_an_input_without_files_to_fetch_is_named(plan, run, raw):
    converting(plan, "csv", input_function="public.read_bars")
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert "needs an input function with asset_id and to_fetch bigint[]" in str(reason)


@pytest.mark.parametrize(
    ("formats", "options", "said"),
    [
        ([], {}, "convert_formats needs the option formats"),
        (["avro"], {}, "convert_formats writes parquet, csv, xlsx, ndjson, json, each once, not 'avro'"),
        (["csv", "csv"], {}, "each once, not 'csv'"),
        (["csv"], {"colour": 1}, "convert_formats has no option colour"),
        (["csv"], {"types": {"id": "money"}}, "the type of column id is unknown: 'money'"),
    ],
)  # fmt: skip
async def test_options_that_are_wrong_defer_the_job_and_are_named(
    plan, run, raw, formats, options, said
):
    raw.put("P0.json", json.dumps(RECORDS))
    converting(plan, *formats, **options)
    await run()

    (((outcome, reason),),) = ends(plan).values()
    assert outcome == "deferred"
    assert said in str(reason)
