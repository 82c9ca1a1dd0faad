"""The whole pipeline with a worker: from bars to the screener and its charts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from headgate.database import connect, dsn_of
from headgate.demo.eodhd.bars import Synthetic
from headgate.demo.eodhd.fundamentals import fundamentals
from headgate.settings import Settings
from tests import clock
from tests.docs import PAGES, as_lines, blocks, squeezed
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.handlers.indicators.bars import made_up
from tests.runner.handlers.indicators.reference import last_values
from tests.servers import DB

AT = datetime(2026, 6, 16, 23, tzinfo=UTC)
CODES = (
    *("AAPL.US", "MSFT.US", "AMZN.US", "KO.US", "JNJ.US", "XOM.US", "JPM.US", "PG.US", "WMT.US"),
    *("MC.PA", "SAP.XETRA", "NESN.SW", "ASML.AS", "SAN.PA", "BMW.XETRA"),
)
SHORT = "PFE.US"
PNG = b"\x89PNG\r\n\x1a\n"


def headgate(settings: Settings, *arguments: str, cwd: Path = DB.parent) -> str:
    """Run the command line; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "headgate", *arguments],
        env={
            **os.environ,
            "HEADGATE_DSN": dsn_of(settings),
            "HEADGATE_DB": str(settings.db),
            "PYTHONPATH": str(DB.parent),
        },
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run_id() -> list[str]:
    return []


@pytest.fixture(scope="module")
def calculated(clone, template, run_id):
    """Load bars and fundamentals of some listings, and run the pipeline to its end."""
    settings = clone(template)
    with connect(settings, "test") as connection:
        connection.execute(clock.moved(settings.database, AT))
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        plan.sql("insert into equities.fx_rates values ('EUR', '2026-06-16', 1.08)")
        source = Synthetic()
        for code in (*CODES, SHORT):
            days = 730 if code != SHORT else 200
            start = (AT - timedelta(days=days)).date().isoformat()
            rows = source.rows(code, start, None, AT.timestamp())
            ingest(plan, "ingest_history", code, f"[{','.join(rows)}]")
            facts = json.dumps(fundamentals(code, AT.date()))
            ingest(plan, "ingest_fundamentals", code, facts)
            reset = {"p_ticker": code, "p_scope": "indicators"}
            plan.call("equities.reset_ticker_for_reprocessing", **reset)
        printed = headgate(settings, "run", "calculate_indicators", "--json")
        run_id.append(json.loads(printed)["run_id"])
        yield settings, plan


def ingest(plan: Plan, function: str, code: str, payload: str) -> None:
    """Ingest one answer."""
    asset = plan.value("find_asset", p_universe="equities", p_code=code)
    (result,) = plan.call(
        f"equities.{function}",
        p_context={"run_id": "a run", "now": AT.isoformat()},
        p_asset_ids=[asset],
        p_payloads=[payload],
    )
    assert result["status"] == "success", result


def test_every_listing_has_its_row_and_too_short_a_history_its_reason(calculated):
    _, plan = calculated
    ended = plan.sql("select h.asset, h.status, h.error from headgate.v_asset_processing_history h")

    assert {x["asset"] for x in ended if x["status"] == "success"} == set(CODES)
    (short,) = (x for x in ended if x["status"] != "success")
    assert (short["asset"], short["status"]) == (SHORT, "skipped")
    assert short["error"].startswith("fewer than 200 bars: ")
    assert plan.scalar("select count(*) from equities.technical_indicators") == len(CODES)


def test_the_values_are_those_of_the_stored_bars(calculated):
    _, plan = calculated
    bars = pd.DataFrame(
        plan.sql(
            "select p.* from equities.prices as p join headgate.v_assets using (asset_id)"
            " where code = 'SAP.XETRA' order by p.date"
        )
    )
    bars["date"] = pd.to_datetime(bars["date"])
    expected = last_values({"SAP.XETRA": bars}).iloc[0]
    (stored,) = plan.sql("select * from equities.v_screener where ticker = 'SAP.XETRA'")

    for name, value in expected.items():
        assert stored[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name
    assert stored["price_usd"] == pytest.approx(1.08 * bars["close"].iloc[-1])


def test_progress_counts_them_and_nothing_is_due_again(calculated):
    settings, plan = calculated
    progress = plan.row("equities.get_processing_progress")
    again = json.loads(headgate(settings, "run", "calculate_indicators", "--json"))

    assert progress["indicators_calculated"] == len(CODES)
    assert (again["status"], again["planned"]) == ("succeeded", 0)


def test_the_page_s_screen_shows_what_it_says(calculated):
    _, plan = calculated
    (page,) = (x for x in PAGES if x.name == "indicators.md")
    screen, output = (x for x in blocks(page) if x.marks.keys() & {"needs", "output"})

    rows = plan.sql(screen.text)
    assert rows
    assert squeezed(output.text) == as_lines(rows)


def test_a_chart_is_a_picture(calculated, tmp_path):
    settings, _ = calculated
    printed = headgate(settings, "chart", "AAPL.US", cwd=tmp_path)
    headgate(settings, "chart", "MC.PA", "--bars", "400", "--output", "mc.png", cwd=tmp_path)

    assert printed.strip() == "AAPL.US.png"
    for name in ("AAPL.US.png", "mc.png"):
        picture = (tmp_path / name).read_bytes()
        assert picture.startswith(PNG) and len(picture) > 50_000


def test_the_chart_of_a_ticker_with_a_slash_is_a_file_in_this_folder(calculated, tmp_path):
    settings, plan = calculated
    rename = "select headgate.rename_asset((select asset_id from headgate.assets where code = %(a)s), %(b)s)"
    plan.sql(rename, a="AAPL.US", b="../AA/PL.US")
    try:
        printed = headgate(settings, "chart", "../AA/PL.US", cwd=tmp_path).strip()
    finally:
        plan.sql(rename, a="../AA/PL.US", b="AAPL.US")

    assert [x.name for x in tmp_path.iterdir()] == [printed]
    assert (tmp_path / printed).read_bytes().startswith(PNG)


def test_a_report_tells_of_the_run(calculated, run_id, tmp_path):
    settings, _ = calculated
    headgate(settings, "report", run_id[0], "--output", "run.html", cwd=tmp_path)
    page = (tmp_path / "run.html").read_text()

    for told in (run_id[0], "publish_screener", "indicators_calculation", "<svg", "skipped"):
        assert told in page
    assert "No job has ended in failure." in page and "Nothing." in page


def test_a_listing_without_bars_has_no_chart(calculated, tmp_path):
    settings, _ = calculated
    with pytest.raises(AssertionError, match=r"error: V\.US has fewer than two bars"):
        headgate(settings, "chart", "V.US", cwd=tmp_path)


def test_pictures_of_odd_histories_are_drawn(tmp_path):
    from headgate.reports.charts import Bars, draw

    for bars in (2, 30, 300):
        frame = made_up(bars)
        frame[["open", "high", "low", "close", "volume"]] = 7.0
        columns = {
            x: frame[x].to_numpy(dtype=float) for x in ("open", "high", "low", "close", "volume")
        }
        dates = [x.date() for x in frame["date"]]
        drawn = Bars("X.US", "X & Co", "", dates, shown=150, **columns)
        draw(drawn, tmp_path / "x.png")
        assert (tmp_path / "x.png").read_bytes().startswith(PNG)
