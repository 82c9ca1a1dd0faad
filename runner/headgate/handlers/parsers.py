"""The parsers that are shipped: they turn CSV, JSON lines, XML and HTML into JSON."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final

from headgate.errors import WrongPlan
from headgate.handlers.document import Document

LONGEST_VALUE: Final = 64 * 1024 * 1024


def parse_csv(document: Document) -> list[dict[str, str]]:
    """Return an object for each line after the header line, which names the columns.

    The separator is the most frequent of comma, semicolon, tab and bar in the header line.
    Raises ValueError if a line has more or fewer values than the header.
    """
    text = document.text()
    csv.field_size_limit(LONGEST_VALUE)
    first = text.partition("\n")[0]
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t|", key=first.count))
    names = [name.strip() for name in next(lines, [])]
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    rows = []
    for line in lines:
        if line and len(line) != len(names):
            raise ValueError(f"line {lines.line_num} has {len(line)} values, not {len(names)}")
        if line:
            rows.append(dict(zip(names, line, strict=True)))
    return rows


def parse_ndjson(document: Document) -> list[Any]:
    """Return the values of JSON lines. Raises ValueError with the number of a line that is not."""
    values = []
    for number, line in enumerate(document.text().split("\n"), 1):
        try:
            if line.strip():
                values.append(json.loads(line))
        except ValueError as exc:
            raise ValueError(f"line {number} is not JSON: {exc}") from None
    return values


def parse_xml(document: Document) -> Any:
    """Return elements as objects by name, attributes by @name, text by #text (xmltodict's form)."""
    try:
        import xmltodict
    except ModuleNotFoundError:
        raise missing("xml", "xmltodict") from None
    return xmltodict.parse(document.data(), disable_entities=True)


def missing(parser: str, package: str) -> WrongPlan:
    return WrongPlan(
        f"the parser {parser!r} needs the package {package}, which is not installed: "
        'pip install "headgate[parsers]", and restart the worker'
    )
