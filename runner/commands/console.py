"""What all commands share: where they print, and the server they need."""

from __future__ import annotations

import json
import logging
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.console import Console

from runner.server import Server
from runner.settings import Settings

logger = logging.getLogger(__name__)

OUT = Console(highlight=False)
ERR = Console(stderr=True, highlight=False)


def ready_settings() -> Settings:
    """Return the settings, with the embedded server started where it is the one to use."""
    settings = Settings.from_env()
    if settings.dsn is None and (server := Server(settings.home)).running() is None:
        logger.info("starting the embedded PostgreSQL in %s", settings.home)
        server.start()
    return settings


def print_json(value: Any) -> None:
    """Print one JSON document for a machine to read."""
    print(json.dumps(value, indent=4, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)
