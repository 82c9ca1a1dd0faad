"""481 real symbols, five years, real defects: every bar is stored, in prices or in the quarantine.

The short form takes all symbols with defects, and every fifth of the others.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headgate.demo.eodhd import Options, spawn
from tests.acceptance.ledger import check_ledger, check_settled, jobs
from tests.acceptance.system import System, killed_at_the_end
from tests.attacks.form import IS_LONG
from tests.plan import Row

FOLDER = Path(os.environ.get("HEADGATE_DATA") or "no folder") / "us_eod_5y"
ROWS, SYMBOLS = 578_231, 481
AT = datetime(2017, 12, 29, 21, 30, tzinfo=UTC)
PRICES = ("open", "high", "low", "close")

pytestmark = pytest.mark.skipif(
    not (FOLDER / "eod.csv.gz").exists(),
    reason="HEADGATE_DATA does not name the folder that holds us_eod_5y/eod.csv.gz",
)

FILE = """
create temp table file (
    symbol text, date date, open float8, high float8, low float8, close float8, volume float8
)
"""
OTHERS = """
delete from file as f
using (
    select
        symbol,
        rank() over (order by symbol) % 5 = 0 or bool_or((
            open between low and high and close between low and high and volume > 0
        ) is not true) as is_taken
    from file
    group by symbol
) as s
where s.symbol = f.symbol and not s.is_taken
"""
EXPECTED = """
create temp view expected as
select
    a.asset_id, f.date, f.open, f.high, f.low, f.close, f.volume,
    (f.open between f.low and f.high and f.close between f.low and f.high and f.volume > 0)
        is true as is_sound
from file as f
join headgate.assets as a
    on a.universe = 'equities' and a.code = replace(f.symbol, '.', '-') || '.US'
"""
STORED = """
create temp view stored as
select p.asset_id, p.date, p.open, p.high, p.low, p.close, p.volume::float8, true as is_sound
from equities.prices as p
union all
select q.asset_id, q.date, q.open, q.high, q.low, q.close, q.volume, false
from equities.prices_quarantine as q
"""
DIFFERENT = """
select *
from expected as e
full join stored as s using (asset_id, date)
where (e.open, e.high, e.low, e.close, e.volume, e.is_sound)
    is distinct from (s.open, s.high, s.low, s.close, s.volume, s.is_sound)
limit 10
"""
CHANGED = """
select 'prices' as what, count(*), max(xmin::text::bigint) from equities.prices
union all
select 'quarantine', count(*), max(xmin::text::bigint) from equities.prices_quarantine
union all
select 'fundamentals', count(*), max(xmin::text::bigint) from equities.fundamentals
"""


@pytest.fixture
def system(small_database, tmp_path) -> Iterator[System]:
    options = Options(bars=FOLDER, quota=None, rate=None)
    with (
        spawn(options) as standin,
        killed_at_the_end(System(small_database, standin, tmp_path, AT)) as system,
    ):
        system.set_provider(base_url=standin.api, requests_per_minute=None)
        yield system


def test_every_real_bar_is_in_prices_or_with_its_true_reason_in_quarantine(system):
    codes = read_file(system)
    add_missing(system, codes)
    code, said = system.run("tickers=" + ",".join(codes), "mode=bulk")

    assert code == 0, said
    assert jobs(system, system.last_run()["run_id"]) == {"success": 2 * len(codes)}
    assert check_ledger(system) == (11 * len(codes), 11 * len(codes))
    check_settled(system)
    check_bars(system)

    before = system.plan.sql(CHANGED)
    code, said = system.run("tickers=" + ",".join(codes))
    assert code == 0, said
    assert system.standin.ledger()["requests"] == 2 * len(codes)
    assert system.plan.sql(CHANGED) == before


def read_file(system: System) -> list[str]:
    """Copy the file into a table unchanged; return its symbols with their codes at the provider."""
    system.plan.sql(FILE)
    with (
        gzip.open(FOLDER / "eod.csv.gz", "rb") as file,
        system.plan.connection.cursor() as cursor,
        cursor.copy("copy file from stdin (format csv, header)") as copy,
    ):
        while piece := file.read(1 << 20):
            copy.write(piece)
    assert system.plan.scalar("select count(*) from file") == ROWS
    symbols = "select distinct symbol from file order by symbol"
    assert len(system.plan.sql(symbols)) == SYMBOLS
    if not IS_LONG:
        system.plan.sql(OTHERS)
    return [row["symbol"].replace(".", "-") + ".US" for row in system.plan.sql(symbols)]


def add_missing(system: System, codes: list[str]) -> None:
    """Add listings that have been delisted since, and make all of them due in 2017."""
    listed = {x["code"] for x in system.plan.sql("select code from headgate.assets")}
    missing = [{"code": x, "group_key": "US", "calendar": "XNYS"} for x in codes if x not in listed]
    system.plan.sql(
        "select * from headgate.upsert_assets("
        "p_universe => 'equities', p_assets => %(missing)s::jsonb)",
        missing=json.dumps(missing),
    )
    system.plan.sql(
        "select r.* from headgate.assets as a cross join lateral headgate.reset_asset("
        "a.asset_id, array['fundamentals_bulk', 'prices_historical']) as r "
        "where a.universe = 'equities' and a.code = any (%(codes)s)",
        codes=codes,
    )


def check_bars(system: System) -> None:
    """Check row by row that prices and quarantine are disjoint, and together equal the file."""
    plan = system.plan
    plan.sql(EXPECTED)
    plan.sql(STORED)
    assert plan.scalar("select count(*) from stored") == plan.scalar("select count(*) from file")
    assert plan.sql(DIFFERENT) == []
    odd = plan.scalar("select count(*) from equities.prices where adjusted_close <> close")
    assert odd == 0, "the file has no adjusted_close: the stand-in serves the close"

    quarantine = plan.sql("select * from equities.prices_quarantine")
    assert len(quarantine) == plan.scalar("select count(*) from expected where not is_sound") > 20
    for bar in quarantine:
        assert bar["reason"] == true_reason(bar)


def true_reason(bar: Row) -> str:
    """Return what is wrong with a bar."""
    missing = [name for name in PRICES if bar[name] is None]
    reasons = [", ".join(missing) + " missing"] if missing else []
    low, high = bar["low"], bar["high"]
    if low is not None and high is not None and high < low:
        reasons.append("high below low")
    elif low is not None and high is not None:
        known = [name for name in ("open", "close") if bar[name] is not None]
        outside = [name for name in known if not low <= bar[name] <= high]
        reasons += [", ".join(outside) + " outside low and high"] if outside else []
    return "; ".join(reasons + (["volume zero"] if bar["volume"] == 0 else []))
