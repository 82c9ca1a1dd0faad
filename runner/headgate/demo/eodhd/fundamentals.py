"""Fundamentals of a listing: a nested object with numbers as text, and another shape for funds.

Figures are derived from the code. They change only when a new quarter is filed, 39 days after its
end.
"""

from __future__ import annotations

import hashlib
from datetime import date, timedelta
from math import exp
from typing import Any

from headgate.demo.eodhd import market

QUARTERS = 8
PAGED = 4
FILED_AFTER = timedelta(days=39)


def fundamentals(code: str, today: date) -> dict[str, Any]:
    """Return the fundamentals of a code as known on a day."""
    filed = _quarters(today)
    listing = market.listings().get(code) or _unlisted(code)
    general = _general(listing, filed[0] + FILED_AFTER)
    if listing.type == "ETF":
        return {"General": general, "Technicals": _technicals(code), "ETF_Data": _fund(listing)}
    if listing.type == "FUND":
        return {"General": general, "MutualFund_Data": _fund(listing)}
    scale = exp(_number(code, "scale", 16.0, 26.0))
    return {
        "General": general,
        "Highlights": _highlights(code, filed[0], scale),
        "Valuation": {
            "TrailingPE": _number(code, "pe", 8, 40),
            "PriceBookMRQ": _number(code, "pb", 0.5, 9),
        },
        "SharesStats": {"SharesOutstanding": round(scale / 20), "SharesFloat": round(scale / 23)},
        "Technicals": _technicals(code),
        "SplitsDividends": {
            "PayoutRatio": _number(code, "payout", 0, 0.8),
            "NumberDividendsByYear": {},
        },
        "AnalystRatings": {"Rating": _number(code, "rating", 1, 5)},
        "Holders": {"Institutions": {}, "Funds": {}},
        "InsiderTransactions": {},
        "outstandingShares": {"annual": {}, "quarterly": {}},
        "Earnings": _earnings(code, filed),
        "Financials": _financials(code, listing.currency or "USD", filed, scale),
    }


def shortened(whole: dict[str, Any]) -> dict[str, Any]:
    """Return fundamentals as in a page of many companies: only the last 4 quarters and years."""
    cut: dict[str, Any] = {}
    for sheet, content in whole["Financials"].items():
        newest = {
            kind: dict(sorted(content[kind].items(), reverse=True)[:PAGED])
            for kind in ("quarterly", "yearly")
        }
        cut[sheet] = content | newest
    return whole | {"Financials": cut}


def select(whole: dict[str, Any], filters: str) -> Any:
    """Return the parts named by `filter=`: a single one bare, several keyed by name.

    `A::B` selects part B of part A.
    """
    names = filters.split(",")
    parts = {name: _dig(whole, name.split("::")) for name in names}
    return parts[names[0]] if len(names) == 1 else parts


def _dig(value: Any, path: list[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if value is not None else "NA"


def _quarters(today: date) -> list[date]:
    """Return the ends of the quarters filed by a day, newest first."""
    found: list[date] = []
    year, month = today.year, today.month
    while len(found) < QUARTERS:
        month = (month - 1) // 3 * 3 + 1
        end = date(year, month, 1) - timedelta(days=1)
        if end + FILED_AFTER <= today:
            found.append(end)
        year, month = end.year, end.month
    return found


def _general(listing: market.Listing, updated: date) -> dict[str, Any]:
    name, _, country, currency, iso, _ = market.EXCHANGES[listing.group_key]
    return {
        "Code": listing.symbol,
        "Type": listing.type,
        "Name": listing.name,
        "Exchange": listing.exchange if listing.group_key == "US" else listing.group_key,
        "CurrencyCode": listing.currency or currency,
        "CountryName": listing.country or country,
        "CountryISO": iso,
        "ExchangeName": name,
        "OpenFigi": listing.figi or None,
        "ISIN": listing.isin or None,
        "PrimaryTicker": listing.code,
        "FiscalYearEnd": "December",
        "Sector": listing.sector or None,
        "Industry": listing.industry or None,
        "IsDelisted": False,
        "UpdatedAt": updated.isoformat(),
    }


def _highlights(code: str, quarter: date, scale: float) -> dict[str, Any]:
    return {
        "MarketCapitalization": round(scale),
        "EBITDA": round(scale * 0.08),
        "PERatio": _number(code, "pe", 8, 40),
        "BookValue": _number(code, "book", 1, 90),
        "DividendYield": _number(code, "yield", 0, 0.06),
        "EarningsShare": _number(code, "eps", -2, 9),
        "ProfitMargin": _number(code, "margin", -0.1, 0.3),
        "MostRecentQuarter": quarter.isoformat(),
    }


def _technicals(code: str) -> dict[str, Any]:
    return {"Beta": _number(code, "beta", 0.2, 2), "52WeekHigh": _number(code, "high", 20, 90)}


def _fund(listing: market.Listing) -> dict[str, Any]:
    return {
        "ISIN": listing.isin or None,
        "Company_Name": listing.name.split(" ")[0],
        "TotalAssets": f"{exp(_number(listing.code, 'assets', 16, 24)):.2f}",
        "NetExpenseRatio": f"{_number(listing.code, 'ratio', 0.0003, 0.012):.5f}",
    }


def _earnings(code: str, quarters: list[date]) -> dict[str, Any]:
    history = {}
    for quarter in quarters:
        estimate = _number(code, f"estimate {quarter}", -0.5, 3)
        actual = round(estimate * _number(code, f"surprise {quarter}", 0.8, 1.25), 2)
        history[quarter.isoformat()] = {
            "reportDate": (quarter + FILED_AFTER).isoformat(),
            "date": quarter.isoformat(),
            "beforeAfterMarket": "AfterMarket",
            "epsActual": actual,
            "epsEstimate": estimate,
            "epsDifference": round(actual - estimate, 4),
        }
    annual = {
        key: {"date": key, "epsActual": row["epsActual"]}
        for key, row in history.items()
        if key[5:7] == "12"
    }
    return {"History": history, "Trend": {}, "Annual": annual}


def _financials(code: str, currency: str, quarters: list[date], scale: float) -> dict[str, Any]:
    sheets: dict[str, dict[str, Any]] = {
        "Balance_Sheet": {
            "totalAssets": 1.4,
            "totalLiab": 0.8,
            "totalStockholderEquity": 0.6,
            "cash": 0.1,
        },
        "Income_Statement": {
            "totalRevenue": 0.15,
            "grossProfit": 0.06,
            "operatingIncome": 0.03,
            "netIncome": 0.02,
        },
        "Cash_Flow": {
            "totalCashFromOperatingActivities": 0.03,
            "capitalExpenditures": 0.01,
            "freeCashFlow": 0.02,
        },
    }
    found: dict[str, Any] = {}
    for sheet, shares in sheets.items():
        rows = {}
        for quarter in quarters:
            key = quarter.isoformat()
            rows[key] = {
                "date": key,
                "filing_date": (quarter + FILED_AFTER).isoformat(),
                "currency_symbol": currency,
            }
            rows[key] |= {
                item: f"{scale * share * _number(code, f'{item} {key}', 0.85, 1.15):.2f}"
                for item, share in shares.items()
            }
        yearly = {key: row for key, row in rows.items() if key[5:7] == "12"}
        found[sheet] = {"currency_symbol": currency, "quarterly": rows, "yearly": yearly}
    return found


def _unlisted(code: str) -> market.Listing:
    symbol, _, group = code.rpartition(".")
    return market.Listing(
        code=code,
        group_key=group,
        calendar="",
        exchange="NYSE" if group == "US" else group,
        symbol=symbol,
        name=f"{symbol} Corp",
        type="Common Stock",
        currency="",
        country="",
        sector="",
        industry="",
        isin="",
        figi="",
        market_cap_bucket="",
    )


def _number(code: str, what: str, low: float, high: float) -> float:
    """Return a number between `low` and `high` that depends only on the code and `what`."""
    digest = hashlib.blake2b(f"{code} {what}".encode(), digest_size=4).digest()
    return round(low + (high - low) * int.from_bytes(digest, "big") / 2**32, 4)
