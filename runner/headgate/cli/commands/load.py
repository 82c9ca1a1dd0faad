"""`headgate load`: loads a file of rows for the first time, by binary COPY."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.errors import HeadgateError


def load(
    file: Annotated[Path, typer.Argument(help="CSV (also .gz) or parquet, columns by name.")],
    table: Annotated[str, typer.Argument(help="The table, e.g. equities.prices.")],
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="The operation whose need the rows meet.")
    ],
    watermark: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column that says how far rows reach.")
    ] = "date",
) -> None:
    """Load a file of rows for assets that have none yet, and set watermarks; for the owner."""
    settings = console.ready_settings()
    try:
        from headgate.migrate import load_rows  # loads pandas, which no other command needs
    except ModuleNotFoundError as exc:
        raise HeadgateError(
            f"a load needs the package {exc.name}, which is not installed",
            hint='Install it: pip install "headgate[handlers]"',
        ) from exc
    with console.open_database(settings, "load", role=None) as connection:
        done = load_rows(connection, file, table, operation, watermark=watermark)
    rate = done.rows / max(done.seconds, 1e-9)
    console.say(
        f"{done.rows:,} rows of {done.assets:,} assets in {done.seconds:.1f} s ({rate:,.0f}/s)"
    )
