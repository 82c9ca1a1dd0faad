"""`headgate chart`: draws a listing's price, volume and indicators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from psycopg.errors import InvalidSchemaName
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.extras import needs_extra
from headgate.database import mapped_errors
from headgate.demo import DATABASE
from headgate.errors import HeadgateError, InvalidValue
from headgate.files import name_of

RUN_UP = 250
"""Bars loaded before the first one shown, for averages over 200 bars."""
BARS = "select * from equities.chart_bars(p_ticker => %(ticker)s, p_bars => %(bars)s)"


def chart(
    code: Annotated[str, typer.Argument(help="A listing, e.g. AAPL.US.", show_default=False)],
    bars: Annotated[int, typer.Option(min=20, max=5000, help="How many bars to show.")] = 150,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The PNG to write.", show_default="CODE.png"),
    ] = None,
) -> None:
    """Draw a listing's prices, volume, averages, RSI and MACD as a PNG."""
    settings = console.ready_settings()
    try:
        with console.open_database(settings, "chart") as connection, mapped_errors():
            rows = connection.execute(BARS, {"ticker": code, "bars": bars + RUN_UP}).fetchall()
    except InvalidSchemaName as exc:
        raise InvalidValue(
            f"database {settings.database} does not have the plan equities",
            hint="a chart shows its listings: name its folder in HEADGATE_PLANS, and migrate",
        ) from exc
    if len(rows) < 2:
        raise InvalidValue(f"{code} has fewer than two bars", hint="load its prices first")
    path = output or Path(f"{name_of(rows[0]['ticker'])}.png")
    _draw(rows, bars, path, is_made_up=settings.database == DATABASE)
    print(path)


def _draw(rows: list[DictRow], shown: int, path: Path, *, is_made_up: bool) -> None:
    with needs_extra("charts"):
        import numpy as np

        from headgate.reports import Bars, draw
    columns = {
        name: np.array([row[name] for row in rows], dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume")
    }
    drawn = Bars(
        ticker=rows[0]["ticker"],
        name=rows[0]["name"] or "",
        currency=rows[0]["currency"] or "",
        dates=[row["date"] for row in rows],
        shown=shown,
        is_made_up=is_made_up,
        **columns,
    )
    try:
        draw(drawn, path)
    except OSError as exc:
        hint = "name another file: --output"
        raise HeadgateError(f"{path} cannot be written: {exc.strerror}", hint=hint) from exc
