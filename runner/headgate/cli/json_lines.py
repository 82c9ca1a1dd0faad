"""Log lines as JSON objects, for programs that collect them."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from typing import Final

from headgate.errors import InvalidValue
from headgate.shown import cleared

FIELDS: Final = ("pipeline", "run_id", "chunk", "operation")
"""What a line says of a chunk, each left out where it is not known."""


def is_json_wanted() -> bool:
    """Return whether HEADGATE_LOG asks for JSON. Raises InvalidValue for any other value."""
    said = os.environ.get("HEADGATE_LOG", "")
    if said not in ("", "json"):
        raise InvalidValue(f"HEADGATE_LOG is {said!r}", hint="set it to json, or do not set it")
    return said == "json"


class JsonLines(logging.Formatter):
    """Formats a record, which is redacted already, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a JSON object; a traceback is part of its message."""
        trace = f"\n{record.exc_text}" if record.exc_text else ""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "message": record.getMessage() + trace,
        }
        known = {x: record.__dict__[x] for x in FIELDS if record.__dict__.get(x) is not None}
        shown = {x: cleared(y) if isinstance(y, str) else y for x, y in known.items()}
        return json.dumps({**line, **shown}, ensure_ascii=False)
