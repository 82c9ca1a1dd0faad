"""The handler of technical indicators: `headgate.handlers.indicators.handler:calculate`.

Its input function returns, for each asset, the adjusted series `high`, `low`, `close` and `volume`,
oldest bar first, the values `date` and `last_close` of the last bar, and `bars_52w`.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import numpy as np

from headgate.handlers.contract import Chunk, Result
from headgate.handlers.indicators.block import make_block
from headgate.handlers.indicators.compute import LEAST_BARS, compute

SERIES = ("high", "low", "close", "volume")


def calculate(chunk: Chunk) -> Result:
    """Return a row of indicators for each asset with enough bars; the others are skipped."""
    is_long = chunk.lengths >= LEAST_BARS
    skipped = {
        int(asset_id): f"fewer than {LEAST_BARS} bars: {bars}"
        for asset_id, bars in zip(chunk.asset_ids[~is_long], chunk.lengths[~is_long], strict=True)
    }
    if not is_long.any():
        return Result(skipped=skipped)
    if is_long.all():
        series = [chunk.columns[name] for name in SERIES]
    else:
        of_long = np.repeat(is_long, chunk.lengths)
        series = [chunk.columns[name][of_long] for name in SERIES]
    lengths = chunk.lengths[is_long]
    block = make_block(lengths, chunk.values["bars_52w"][is_long].astype(np.int64), *series)
    now = chunk.now.astimezone(UTC).replace(tzinfo=None)
    rows: dict[str, Any] = {
        "asset_id": chunk.asset_ids[is_long],
        "date": chunk.values["date"][is_long],
        "bars": lengths,
        "close": chunk.values["last_close"][is_long],
        **compute(block),
        "calculated_at": np.full(len(lengths), np.datetime64(now, "us")),
    }
    return Result(rows, skipped=skipped)
