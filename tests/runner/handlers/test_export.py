"""Handler `export` writes rows of an input function to files; other libraries read them here."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import math
import re
import tempfile
import zipfile
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from python_calamine import CalamineWorkbook

from headgate.errors import InvalidValue
from headgate.files import DiskFull, refuse_full_disk
from headgate.handlers.export import workbooks
from headgate.handlers.export.handler import LINES, WRITERS
from headgate.handlers.export.lines import Lines
from headgate.handlers.export.tables import read_tables
from tests.plan import Plan, Row
from tests.runner.handlers.compute_plan import ends, start, status, write_plan
from tests.runner.handlers.read_back import read_back
from tests.runner.small_plan import insert

KINDS = """
    create function public.kinds(p_context jsonb, p_asset_ids bigint[])
    returns table (
        asset_id bigint, n integer, t text, d numeric, f double precision, at timestamptz, day date, b boolean
    )
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], v.* from (values
            (1, '=1+1', 12345678901234567.89::numeric, 'NaN'::double precision,
                timestamptz '1850-01-02 03:04:05+00', date '1850-01-02', true),
            (2, '', 1.5, 'Infinity', '2026-11-29 20:00:00.123456+01', '2026-11-29', false),
            (3, null, null, null, null, null, null),
            (4, E'two\nlines, "quoted"', -0.000000001, -2.5, '2026-01-01', '2026-01-01', null)
        ) as v
    $$;
    create function public.many(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, n integer, hour text) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], n, 'hour=' || n / 4 from generate_series(0, 9) as n
    $$;
    create function public.wrong(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, at timestamptz, t text) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], v.* from (values ('infinity'::timestamptz, repeat('x', 40000))) as v
    $$;
    create function public.fails(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, n integer) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], 1 / (n - 100000) from generate_series(1, 200000) as n
    $$;
    create function public.nothing(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, n integer) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$ select 1, 1 where false $$;
    grant execute on function public.kinds(jsonb, bigint[]), public.many(jsonb, bigint[]), public.wrong(jsonb, bigint[]),
        public.fails(jsonb, bigint[]), public.nothing(jsonb, bigint[]) to headgate_runner;
"""
TIMES = [
    datetime(1850, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2026, 11, 29, 19, 0, 0, 123456, tzinfo=UTC),
    None,
    datetime(2026, 1, 1, tzinfo=UTC),
]


@pytest.fixture
def export(plan, run, tmp_path, monkeypatch):
    """Export what a function returns under a name; return the artifacts."""
    (tmp_path / "spool").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))

    async def work(name: str, function: str = "kinds", **operation: Any) -> list[Row]:
        insert(plan, "stores", name="lake", url=f"file://{tmp_path}/lake")
        plan.sql(KINDS)
        is_json = ".ndjson" in name or ".json" in name
        settings = {
            "input_function": f"public.{function}", "input_format": "json" if is_json else "csv",
            "chunk_size": 1, "ingest_function": None, "store": "lake", "artifact_name": name, "max_attempts": 1,
        }  # fmt: skip
        write_plan(plan, "export", assets=1, **settings | operation)
        start(plan)
        await run()
        assert list((tmp_path / "spool").iterdir()) == []
        rows: list[Row] = plan.sql("select * from headgate.v_artifacts order by artifact_id")
        return rows

    return work


def place(row: Row) -> Path:
    return Path(row["url"].removeprefix("file://"))


def reason(plan: Plan) -> tuple[str, str]:
    (((outcome, said),),) = ends(plan).values()
    return outcome, str(said)


async def test_parquet_keeps_types_nulls_and_decimals(export):
    (row,) = await export(
        "{run.id}/kinds.parquet", handler_options={"types": {"d": "numeric(38,10)"}}
    )
    types, rows = read_back(place(row))

    assert types == {
        "n": "INTEGER", "t": "VARCHAR", "d": "DECIMAL(38,10)", "f": "DOUBLE", "at": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE", "b": "BOOLEAN",
    }  # fmt: skip
    n, t, d, f, at, day, b = map(list, zip(*rows, strict=True))
    assert (row["rows"], row["name"], n) == (4, "r1/kinds.parquet", [1, 2, 3, 4])
    assert t == ["=1+1", "", None, 'two\nlines, "quoted"']
    assert d == [Decimal("12345678901234567.89"), Decimal("1.5"), None, Decimal("-0.000000001")]
    assert math.isnan(f[0]) and f[1:] == [math.inf, None, -2.5]
    assert at == TIMES
    assert day == [date(1850, 1, 2), date(2026, 11, 29), None, date(2026, 1, 1)]
    assert b == [True, False, None, None]


async def test_csv_tells_nulls_from_empty_texts_and_disarms_formulas(export):
    (row,) = await export("kinds.csv")
    text = place(row).read_text()

    assert [x["t"] for x in csv.DictReader(io.StringIO(text))] == [
        "'=1+1", "", "", 'two\nlines, "quoted"',
    ]  # fmt: skip
    assert '\n2,"",1.5' in text
    assert "\n3,,,,,,\n" in text


async def test_formulas_are_kept_on_request(export):
    (row,) = await export("kinds.csv.gz", handler_options={"formulas": "keep"})

    text = gzip.decompress(place(row).read_bytes()).decode()
    assert next(csv.DictReader(io.StringIO(text)))["t"] == "=1+1"


async def test_a_workbook_has_texts_where_excel_has_nothing_better(export):
    (row,) = await export("kinds.xlsx")
    book = CalamineWorkbook.from_path(str(place(row)))
    rows: list[list[Any]] = book.get_sheet_by_index(0).to_python()
    header, first, second, third, _ = rows

    assert header == ["n", "t", "d", "f", "at", "day", "b"]
    assert first == [
        1, "=1+1", "12345678901234567.890000000", "NaN", "1850-01-02T03:04:05+00:00", "1850-01-02", True,
    ]  # fmt: skip
    assert second[2:4] == [1.5, "Infinity"]
    assert second[4].replace(microsecond=0) == datetime(2026, 11, 29, 19, 0, 0)
    assert second[5] == date(2026, 11, 29)
    assert third == [3, "", "", "", "", "", ""]


async def test_ndjson_and_json_have_the_same_objects(export):
    (row,) = await export("kinds.ndjson.gz")

    objects = [json.loads(x) for x in gzip.decompress(place(row).read_bytes()).splitlines()]
    assert [x["n"] for x in objects] == [1, 2, 3, 4]
    assert objects[0]["f"] == "NaN"
    assert objects[2]["t"] is None
    assert objects[3]["t"] == 'two\nlines, "quoted"'


async def test_json_is_one_array(export):
    (row,) = await export("kinds.json", "many")

    assert [x["n"] for x in json.loads(place(row).read_text())] == list(range(10))


@pytest.mark.parametrize("form", LINES)
async def test_json_is_cut_between_objects(export, form):
    rows = await export(f"{{part}}.{form}", "many", handler_options={"max_rows": 4})

    texts = [place(x).read_text() for x in rows]
    found = [json.loads(x) if form == "json" else map(json.loads, x.splitlines()) for x in texts]
    assert [[x["n"] for x in objects] for objects in found] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [x["rows"] for x in rows] == [4, 4, 2]


async def test_files_are_cut_by_partition_and_by_size(export, plan):
    rows = await export(
        "{partition}/{part}.parquet", "many", handler_options={"partition": "hour", "max_rows": 3}
    )

    assert [(x["name"], x["rows"]) for x in rows] == [
        ("hour=0/0.parquet", 3), ("hour=0/1.parquet", 1), ("hour=1/0.parquet", 3), ("hour=1/1.parquet", 1),
        ("hour=2/0.parquet", 2),
    ]  # fmt: skip
    assert pyarrow.parquet.read_schema(place(rows[0])).names == ["n"]
    assert plan.scalar("select headgate.step_output('compute', 'r1', 'all') -> 'files'") == 5


async def test_no_rows_are_a_file_with_its_columns(export):
    (row,) = await export("nothing.parquet", "nothing")

    assert row["rows"] == 0
    assert pyarrow.parquet.read_schema(place(row)).names == ["n"]


async def test_the_same_rows_are_the_same_file(export, plan, run):
    (row,) = await export("many.xlsx", "many", due_rule="run")
    start(plan, "r2")
    await run("r2")

    assert plan.scalar("select count(*) from headgate.v_artifacts") == 1
    assert status(plan, "r2")["status"] == "succeeded"
    assert len(list(place(row).parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "function", "options", "outcome", "said"),
    [
        ("a.parquet", "wrong", {}, "failed", "column at has a value that no timestamp"),
        ("a.parquet", "fails", {}, "failed", "public.fails: PostgreSQL reports: division by zero"),
        ("a.txt", "many", {}, "deferred", "export does not write 'a.txt'"),
        ("a.parquet.gz", "many", {}, "deferred", "export does not write 'a.parquet.gz'"),
        ("a.csv", "many", {"max": 1}, "deferred", "export has no option max"),
        ("a.csv", "many", {"max_rows": 0}, "deferred", "max_rows is a positive whole number"),
        ("a.csv", "many", {"max_rows": 3}, "failed", "would be written twice: name it with {part}"),
        ("a.csv", "many", {"partition": "hour"}, "failed", "name it with {partition}"),
        ("a.csv", "many", {"partition": "day"}, "deferred", "is not a column of the input: 'day'"),
        ("a.csv", "kinds", {"types": {"n": "numeric(3,1)"}}, "deferred", "types name column n, which is not numeric"),
        ("a.csv", "kinds", {"types": {"d": "number"}}, "deferred", "not numeric(digits, scale)"),
        ("a.json", "many", {"partition": "hour"}, "deferred", "export partitions tables, not JSON"),
    ],
)  # fmt: skip
async def test_values_that_cannot_be_exported_are_named(
    export, plan, name, function, options, outcome, said
):
    assert await export(name, function, handler_options=options) == []
    assert reason(plan)[0] == outcome
    assert said in reason(plan)[1]


def written(folder: Path, form: str, columns: dict[str, list[Any]], **options: Any) -> Path:
    """Write a file without a job; return its path."""
    batch = pyarrow.RecordBatch.from_pydict(columns)
    made = WRITERS[form](folder / f"a.{form}", batch.schema, options, is_packed=False)
    try:
        made.write(batch)
    finally:
        made.close()
    return made.path


def csv_rows(path: Path) -> list[list[str]]:
    """Read a CSV file."""
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_each_beginning_of_a_formula_is_disarmed_in_csv_also_in_names_of_columns(tmp_path):
    columns = {x: FORMULAS for x in ("=HYPERLINK(1)", "plain")} | {"less": [-1] * 6}
    header, *rows = csv_rows(written(tmp_path, "csv", columns))

    assert header == ["'=HYPERLINK(1)", "plain", "less"]
    assert rows == [[f"'{x}", f"'{x}", "-1"] for x in FORMULAS]
    kept = csv_rows(written(tmp_path, "csv", columns, formulas="keep"))
    assert kept == [list(columns), *([x, x, "-1"] for x in FORMULAS)]


def test_no_text_of_a_workbook_is_a_formula_a_link_or_a_number(tmp_path):
    path = written(tmp_path, "xlsx", {"=1": [*FORMULAS, "http://a.test", "12"]})

    with zipfile.ZipFile(path) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert not any("externalLink" in x or "sheet1.xml.rels" in x for x in book.namelist())
    assert re.findall("<f>|<hyperlink|<v>", sheet) == []
    (header, *rows) = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    assert (header, rows[0], rows[-1]) == (["=1"], ["=1+1"], ["12"])


def test_a_text_of_40_000_characters_is_refused_by_name_in_a_workbook_and_whole_elsewhere(
    tmp_path,
):
    columns = {"t": ["a", "x" * 40_000]}
    with pytest.raises(InvalidValue, match="column t, row 2: a text has 40000 characters"):
        written(tmp_path, "xlsx", columns)

    assert read_back(written(tmp_path, "parquet", columns))[1] == [(x,) for x in columns["t"]]
    rows = csv_rows(written(tmp_path, "csv", columns))
    assert [x for (x,) in rows] == ["t", *columns["t"]]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", sorted(WRITERS))
@pytest.mark.parametrize("rows", [1, 20_000], ids=["at the end", "in between"])
def test_a_disk_that_fills_meanwhile_is_no_asset_s_fault(tmp_path, form, rows):
    (place := tmp_path / form).symlink_to("/dev/full")
    batch = pa.record_batch({"n": range(rows), "t": [f"{n:040}" for n in range(rows)]})
    writer = WRITERS[form](place, batch.schema, {}, is_packed=False)
    content = Lines(b'{"n": 1}\n' * rows) if form in LINES else batch

    with pytest.raises(Exception) as caught:
        writer.write(content)
        writer.close()
    with suppress(OSError):
        writer.file.close()
    with pytest.raises(DiskFull, match=r"^no space is left for files in .*TMPDIR"):
        refuse_full_disk(caught.value)
    del writer, caught
    gc.collect()  # a workbook complains once more


def test_the_1_048_577th_row_of_a_sheet_is_refused_and_the_one_before_is_written(tmp_path):
    batch = pyarrow.RecordBatch.from_pydict({"n": [1]})
    made = workbooks.XlsxWriter(tmp_path / "a.xlsx", batch.schema, {}, is_packed=False)
    made.rows = 1_048_574  # as if they were written, behind the header
    made.write(batch)
    with pytest.raises(InvalidValue, match="a sheet holds 1048575 rows below its header"):
        made.write(batch)
    made.close()

    with zipfile.ZipFile(made.path) as book:
        last = re.findall(rb'<c r="(\w+)"', book.read("xl/worksheets/sheet1.xml"))[-1]
    assert last == b"A1048576"


NUMERIC, DATE, TIMESTAMPTZ = 1700, 1082, 1184


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (NUMERIC, "NaN"),
        (NUMERIC, "-Infinity"),
        (DATE, "infinity"),
        (DATE, "0044-03-15 BC"),
        (TIMESTAMPTZ, "-infinity"),
        (TIMESTAMPTZ, "0044-03-15 00:00:00+00 BC"),
        (TIMESTAMPTZ, "12026-01-01 00:00:00+00"),
    ],
)
def test_a_value_that_no_column_holds_is_refused_with_its_columns_name(kind: int, value: str):
    tables = read_tables([("n", 23), ("x", kind)], io.BytesIO(f"1,{value}\n".encode()), {})

    with pytest.raises(InvalidValue, match=f"column x has a value that no .*'{re.escape(value)}'"):
        list(tables.pieces(None))
