"""The stand-in's API: prices, limits, formats, and answers to bad requests."""

from __future__ import annotations

import subprocess
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
import pytest

from headgate.demo.eodhd import Options, serve, spawn
from headgate.demo.eodhd.faults import QUOTA_USED_UP
from headgate.demo.eodhd.ledger import Rate
from tests.limits import wait_until

ROOT = Path(__file__).resolve().parents[3]
FRIDAY_NIGHT = datetime(2026, 11, 20, 22, tzinfo=UTC)


@asynccontextmanager
async def running(**options):
    """Run a stand-in on a Friday night, and a client that knows its token."""
    async with serve(Options(**options)) as standin, aiohttp.ClientSession() as session:
        standin.clock.set(FRIDAY_NIGHT)

        async def get(path, **query):
            query = {"api_token": standin.token, "fmt": "json"} | query
            async with session.get(f"{standin.api}/{path}", params=query) as answer:
                is_json = answer.content_type == "application/json"
                return answer, await (answer.json() if is_json else answer.text())

        yield standin, get


@pytest.mark.parametrize(
    ("path", "query", "units"),
    [
        ("eod/AAPL.US", {}, 1),
        ("eod/AAPL.US", {"filter": "last_close"}, 1),
        ("fundamentals/AAPL.US", {}, 10),
        ("fundamentals/AAPL.US", {"filter": "General"}, 10),
        ("splits/AAPL.US", {}, 1),
        ("div/AAPL.US", {}, 1),
        ("exchange-symbol-list/LS", {}, 1),
        ("exchanges-list", {}, 1),
        ("user", {}, 1),
        ("eod-bulk-last-day/LS", {}, 100),
        ("eod-bulk-last-day/LS", {"type": "dividends"}, 100),
        ("eod-bulk-last-day/US", {"symbols": "AAPL,MSFT.US"}, 102),
        ("bulk-fundamentals/LS", {}, 100),
        ("bulk-fundamentals/US", {"symbols": "AAPL.US,MSFT.US"}, 102),
    ],
)
async def test_each_endpoint_has_its_price(path, query, units):
    async with running(extended=True) as (standin, get):
        answer, _ = await get(path, **query)

    assert answer.status == 200
    assert standin.report()["served_units"] == units


async def test_a_page_of_fundamentals_holds_stocks_by_number_and_what_is_newest():
    async with running(extended=True) as (_, get):
        _, page = await get("bulk-fundamentals/LS", offset=10, limit=5)
        _, beyond = await get("bulk-fundamentals/LS", offset=500)
        _, named = await get("bulk-fundamentals/US", symbols="AAPL.US,SPY.US,NOSUCH.US")
        _, alone = await get("fundamentals/AAPL.US")

    assert (list(page), beyond) == (["0", "1", "2", "3", "4"], {})
    assert [x["General"]["Code"] for x in named.values()] == ["AAPL"], "no fund, nothing unknown"
    of_page = named["0"]["Financials"]["Balance_Sheet"]["quarterly"]
    assert of_page.items() < alone["Financials"]["Balance_Sheet"]["quarterly"].items()
    assert (len(of_page), max(of_page)) == (4, max(alone["Earnings"]["History"]))


async def test_most_accounts_have_no_pages_of_fundamentals():
    async with running() as (standin, get):
        answer, _ = await get("bulk-fundamentals/LS")

    assert answer.status == 403
    assert standin.report()["served_units"] == 0


async def test_a_missing_or_wrong_token_gets_plain_text():
    async with running() as (standin, get):
        missing, text = await get("eod/AAPL.US", api_token="")
        wrong, _ = await get("eod/AAPL.US", api_token="guess")

    assert (missing.status, wrong.status) == (401, 403)
    assert (missing.content_type, text) == ("text/plain", "Unauthenticated")
    assert standin.report()["served_units"] == 0


async def test_the_token_may_come_as_a_bearer():
    async with running() as (standin, _), aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {standin.token}"}
        async with session.get(f"{standin.api}/user", headers=headers) as answer:
            assert answer.status == 200


async def test_a_day_that_is_used_up_answers_402_until_midnight():
    async with running(quota=12) as (standin, get):
        await get("fundamentals/AAPL.US")
        refused, text = await get("fundamentals/MSFT.US")
        last = [(await get("eod/AAPL.US"))[0].status for _ in range(3)]
        standin.clock.set(datetime(2026, 11, 21, tzinfo=UTC))
        next_day, _ = await get("fundamentals/MSFT.US")

    assert (refused.status, refused.content_type, text) == (402, "text/plain", QUOTA_USED_UP)
    assert last == [200, 200, 402]
    assert next_day.status == 200
    assert standin.report()["by_day"] == {"2026-11-20": 12, "2026-11-21": 10}


async def test_requests_above_the_rate_get_429_with_html_and_retry_after():
    async with running() as (standin, get):
        standin.rate = Rate(3, now=lambda: 1.0)
        answers = [(await get("eod/AAPL.US"))[0] for _ in range(5)]
        text = (await get("eod/AAPL.US"))[1]

    assert [x.status for x in answers] == [200, 200, 200, 429, 429]
    assert [x.headers["X-RateLimit-Remaining"] for x in answers] == ["2", "1", "0", "0", "0"]
    assert {x.headers["X-RateLimit-Limit"] for x in answers} == {"3"}
    assert answers[-1].headers["Retry-After"] == "60"
    assert text.startswith("<html>")
    assert standin.report()["served_units"] == 3
    assert standin.report()["rejected"] == {"429": 3}


@pytest.mark.parametrize("ticker", ["NOSUCH.US", "BRK.B.US", "AAPL.MOON", "A&B.US", ".US"])
async def test_an_unknown_ticker_is_404_and_free(ticker):
    async with running() as (standin, get):
        answer, _ = await get(f"eod/{ticker}")

    assert answer.status == 404
    assert standin.report()["served_units"] == 0


@pytest.mark.parametrize("path", ["eod/BAC-PL.US", "eod/IPR AM.LS", "eod/AAPL"])
async def test_tickers_with_hyphens_and_blanks_are_found(path):
    async with running() as (_, get):
        answer, rows = await get(path)

    assert answer.status == 200
    assert rows[-1]["date"] == "2026-11-20"


async def test_an_encoded_ampersand_belongs_to_the_ticker():
    async with running(any_ticker=True) as (standin, _), aiohttp.ClientSession() as session:
        url = f"{standin.api}/eod/M%26M.US?api_token={standin.token}&fmt=json"
        async with session.get(url) as answer:
            assert answer.status == 200

    assert list(standin.report()["by_code"]) == ["M&M.US"]


async def test_an_invalid_date_is_422():
    async with running() as (_, get):
        answer, _ = await get("eod/AAPL.US", **{"from": "yesterday"})

    assert answer.status == 422


async def test_bars_are_csv_unless_json_is_requested():
    async with running() as (_, get):
        answer, text = await get("eod/AAPL.US", fmt="csv", **{"from": "2026-11-19"})

    lines = text.splitlines()
    assert answer.content_type == "text/csv"
    assert lines[0] == "Date,Open,High,Low,Close,Adjusted_close,Volume"
    assert [line[:10] for line in lines[1:]] == ["2026-11-19", "2026-11-20"]


async def test_bars_come_in_a_range_and_in_both_orders():
    async with running() as (_, get):
        _, rows = await get("eod/AAPL.US", **{"from": "2026-11-13", "to": "2026-11-17"})
        _, turned = await get(
            "eod/AAPL.US", order="d", **{"from": "2026-11-13", "to": "2026-11-17"}
        )
        _, none = await get("eod/AAPL.US", **{"from": "2026-11-21"})
        _, last = await get("eod/AAPL.US", filter="last_close")
        _, whole = await get("eod/AAPL.US")

    assert [x["date"] for x in rows] == ["2026-11-13", "2026-11-16", "2026-11-17"]
    assert turned == rows[::-1]
    assert none == []
    assert last == whole[-1]["close"]


async def test_fundamentals_nest_and_carry_numbers_as_text():
    async with running() as (standin, get):
        _, whole = await get("fundamentals/AAPL.US")
        _, general = await get("fundamentals/AAPL.US", filter="General")
        _, two = await get("fundamentals/AAPL.US", filter="General,Highlights")
        _, sector = await get("fundamentals/AAPL.US", filter="General::Sector")
        standin.clock.set(datetime(2026, 12, 1, tzinfo=UTC))
        _, later = await get("fundamentals/AAPL.US")

    quarter = whole["Financials"]["Income_Statement"]["quarterly"]["2026-09-30"]
    assert float(quarter["totalRevenue"]) > 0
    assert isinstance(quarter["totalRevenue"], str)
    assert general == whole["General"]
    assert two == {"General": whole["General"], "Highlights": whole["Highlights"]}
    assert sector == whole["General"]["Sector"]
    assert later == whole, "nothing was filed in between"


async def test_the_fundamentals_of_a_fund_have_another_shape():
    async with running() as (_, get):
        _, found = await get("fundamentals/SPY.US")
        if "ETF_Data" not in found:
            _, found = await get("fundamentals/QQQ.US")

    assert "Financials" not in found
    assert found["ETF_Data"]["TotalAssets"]


async def test_bulk_gives_one_day_of_a_whole_exchange():
    async with running() as (_, get):
        _, rows = await get("eod-bulk-last-day/LS")
        _, named = await get("eod-bulk-last-day/US", symbols="AAPL,MSFT.US")
        _, nasdaq = await get("eod-bulk-last-day/NASDAQ", date="2026-11-18")
        _, sunday = await get("eod-bulk-last-day/LS", date="2026-11-15")
        _, bars = await get("eod/AAPL.US", **{"from": "2026-11-20"})

    assert len(rows) == 74
    assert {row["exchange_short_name"] for row in rows} == {"LS"}
    assert {row["code"] for row in named} == {"AAPL", "MSFT"}
    assert {"code": "AAPL", "exchange_short_name": "US"} | bars[0] in named
    assert len(nasdaq) == 4_626
    assert {row["date"] for row in nasdaq} == {"2026-11-18"}
    assert sunday == []


async def test_bulk_dividends_agree_with_those_of_the_ticker():
    async with running() as (_, get):
        _, bulk = await get("eod-bulk-last-day/US", type="dividends", date="2026-11-18")
        _, own = await get(f"div/{bulk[0]['code']}.US", **{"from": "2026-11-18"})

    assert own[0]["date"] == "2026-11-18"
    assert own[0]["value"] == bulk[0]["dividend"]


async def test_the_symbol_list_is_that_of_the_listings():
    async with running() as (_, get):
        _, rows = await get("exchange-symbol-list/US")
        _, funds = await get("exchange-symbol-list/US", type="etf")
        unknown, _ = await get("exchange-symbol-list/MOON")

    assert len(rows) == 7_225
    assert {"Code", "Name", "Country", "Exchange", "Currency", "Type", "Isin"} == set(rows[0])
    assert {row["Exchange"] for row in rows} == {"NASDAQ", "NYSE"}
    assert {row["Type"] for row in funds} == {"ETF"}
    assert unknown.status == 404


async def test_the_account_tells_the_counter_and_its_day():
    async with running(quota=500) as (standin, get):
        await get("fundamentals/AAPL.US")
        standin.clock.set(datetime(2026, 11, 21, 8, tzinfo=UTC))
        _, before = await get("user")
        _, after = await get("user")

    assert (before["apiRequests"], before["apiRequestsDate"]) == (10, "2026-11-20")
    assert (after["apiRequests"], after["apiRequestsDate"]) == (1, "2026-11-21")
    assert before["dailyRateLimit"] == 500


async def test_a_stand_in_of_its_own_process_keeps_its_book(tmp_path):
    options = Options(quota=12, ledger=tmp_path / "ledger.json")
    async with aiohttp.ClientSession() as session:
        with spawn(options) as standin:
            url = f"{standin.api}/fundamentals/AAPL.US?api_token={standin.token}"
            async with session.get(url) as answer:
                assert answer.status == 200
        with spawn(options) as standin:
            ledger = standin.ledger()
            standin.spend(1)
            standin.set_limits(rate=None)
            standin.set_clock(FRIDAY_NIGHT, frozen=True)

            assert ledger["served_units"] == 10
            assert standin.ledger()["served_units"] == 11
            assert standin.ledger()["clock"] == FRIDAY_NIGHT.isoformat()
            standin.reset()
            assert standin.ledger()["served_units"] == 0


def test_a_stand_in_ends_with_its_starter():
    command = (
        "import os, headgate.demo.eodhd as s\n"
        "with s.spawn() as standin: print(standin.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    starter = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )

    wait_until(lambda: not _runs(int(starter.stdout)), "the stand-in's end")


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
