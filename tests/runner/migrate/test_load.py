"""A first load: all rows of a file are loaded and the watermarks set, or nothing changes."""

from __future__ import annotations

import gzip
from io import BytesIO
from pathlib import Path

import pytest
from pyarrow import csv, parquet

from headgate.errors import HeadgateError, InvalidValue
from headgate.migrate.load import load_rows


@pytest.fixture(autouse=True)
def _inside_a_transaction(db):
    """Nest the load's own transaction in the one that is rolled back."""
    db.sql("select 1")


HEADER = "code,date,open,high,low,close,adjusted_close,volume"
GOOD = "AAPL.US,2026-01-{day:02},10,12,9,11,11,1000"


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    """Write a gzipped file."""
    path = folder / "bars.csv.gz"
    path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))
    return path


def bars(db):
    return db.sql("select date::text, close, volume from equities.prices order by date")


def test_rows_are_in_and_the_history_is_no_longer_due(db, tmp_path):
    file = written(tmp_path, *[GOOD.format(day=x) for x in (2, 5, 6)])

    done = load_rows(db.connection, file, "equities.prices", "prices_historical")

    assert (done.rows, done.assets) == (3, 1)
    assert bars(db)[2] == {"date": "2026-01-06", "close": 11.0, "volume": 1000}
    states = db.sql(
        "select operation, watermark::date::text, next_due_at is null as is_met"
        " from headgate.v_asset_states where asset = 'AAPL.US' and operation like 'prices%' order by 1"
    )
    assert states == [
        {"operation": "prices_historical", "watermark": "2026-01-06", "is_met": True},
        {"operation": "prices_incremental", "watermark": "2026-01-06", "is_met": False},
    ]


def test_a_parquet_file_is_read_block_by_block(db, tmp_path, monkeypatch):
    monkeypatch.setattr("headgate.migrate.load.BLOCK_ROWS", 2)
    file = tmp_path / "bars.parquet"
    lines = [HEADER, *[GOOD.format(day=x) for x in (2, 5, 6)]]
    parquet.write_table(csv.read_csv(BytesIO("\n".join(lines).encode())), file)

    done = load_rows(db.connection, file, "equities.prices", "prices_historical")

    assert (done.rows, done.assets) == (3, 1)
    assert bars(db)[2] == {"date": "2026-01-06", "close": 11.0, "volume": 1000}


def test_a_file_that_is_not_a_parquet_is_reported(db, tmp_path):
    file = tmp_path / "bars.parquet"
    file.write_text("code,date")

    with pytest.raises(HeadgateError, match=r"bars\.parquet cannot be read: .*[Pp]arquet"):
        load_rows(db.connection, file, "equities.prices", "prices_historical")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NOPE.US,2026-01-03,10,12,9,11,11,1000", "1 codes of the file are not assets .*: NOPE.US"),
        ("AAPL.US,2026-01-03,10,8,9,11,11,1000", "high_is_not_below_low|violates check"),
        ("AAPL.US,2026-01-02,10,12,9,11,11,1000", "has such rows already"),
        ("AAPL.US,2026-01-03,10,12,9,11,11,1.5", "column volume is not bigint"),
        ("AAPL.US,2026-01-03,ten,12,9,11,11,1", "column open is not double precision"),
        ("AAPL.US,2026-01-03,10,12,9,11,,1", "adjusted_close"),
    ],
)
def test_one_bad_row_and_nothing_is_loaded(db, tmp_path, line, message):
    file = written(tmp_path, GOOD.format(day=2), line)

    with pytest.raises(InvalidValue, match=message):
        load_rows(db.connection, file, "equities.prices", "prices_historical")

    assert bars(db) == []


@pytest.mark.parametrize(
    ("header", "table", "message"),
    [
        ("code,date,price", "equities.prices", "unknown: price; missing: none"),
        ("date,close,open", "equities.prices", "missing: asset_id"),
        (HEADER, "equities.nothing", "no table equities.nothing"),
        (HEADER, "prices", "not schema.table"),
    ],
)
def test_a_file_that_does_not_fit_its_table_is_refused(db, tmp_path, header, table, message):
    file = written(tmp_path, "AAPL.US,2026-01-02,1", header=header)

    with pytest.raises(InvalidValue, match=message):
        load_rows(db.connection, file, table, "prices_historical")


def test_a_file_that_is_not_there_is_named(db, tmp_path):
    with pytest.raises(InvalidValue, match="there is no file"):
        load_rows(db.connection, tmp_path / "no.csv", "equities.prices", "prices_historical")
