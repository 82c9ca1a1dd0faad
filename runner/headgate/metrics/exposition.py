"""Renders the samples of the database as Prometheus' text format or as OpenMetrics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from psycopg import Connection
from psycopg.rows import DictRow

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
"""The Accept header that asks for OpenMetrics."""
SAMPLES: Final = "select m.name, m.type, m.help, m.labels, m.value from headgate.v_metrics as m"
ENDINGS: Final = {
    "counter": re.compile(r"_total$"),
    "histogram": re.compile(r"_(bucket|sum|count)$"),
}
"""What a sample's name has after that of its metric."""


def render(connection: Connection[DictRow], accept: str = "") -> tuple[str, bytes]:
    """Return the content type that the Accept header asks for, and all metrics in it."""
    is_openmetrics = OPENMETRICS.partition(";")[0] in accept
    encode, content_type = choose_encoder(OPENMETRICS if is_openmetrics else "")
    rows = connection.execute(SAMPLES).fetchall()
    return content_type, encode(_Samples(rows))


class _Samples:
    """What an encoder collects: the samples of each metric together, a histogram's in order."""

    def __init__(self, rows: Iterable[DictRow]) -> None:
        self._rows = sorted(rows, key=_order)

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        families: dict[str, Metric] = {}
        for row in self._rows:
            name = _metric_of(row)
            if name not in families:
                families[name] = Metric(name, row["help"], row["type"])
            families[name].add_sample(row["name"], row["labels"], row["value"])
        yield from families.values()


def _metric_of(row: DictRow) -> str:
    ending = ENDINGS.get(row["type"])
    return ending.sub("", row["name"]) if ending else row["name"]


def _order(row: DictRow) -> tuple[Any, ...]:
    labels = dict(row["labels"])
    bound = float(labels.pop("le", 0))
    return _metric_of(row), sorted(labels.items()), row["name"], bound
