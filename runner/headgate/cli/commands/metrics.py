"""`headgate metrics`: prints all metrics once."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headgate.cli.commands import console
from headgate.cli.commands.extras import needs_extra
from headgate.database import mapped_errors


def metrics(
    openmetrics: Annotated[
        bool, typer.Option("--openmetrics", help="In the format OpenMetrics.")
    ] = False,
) -> None:
    """Print all metrics as Prometheus reads them; `headgate web` serves them at /metrics."""
    with needs_extra("web"):
        from headgate.metrics import OPENMETRICS, render
    settings = console.ready_settings()
    with console.open_database(settings, "metrics") as connection, mapped_errors():
        _, text = render(connection, OPENMETRICS if openmetrics else "")
    sys.stdout.write(text.decode())
