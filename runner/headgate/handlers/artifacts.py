"""Handlers that move artifacts: `copy` into another store, `remove` out of their own.

Both are told which ones by their input function, in an array of numbers of `v_artifacts`.
"""

from __future__ import annotations

from typing import Final

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result

NUMBERS: Final = "{name} needs an input function with asset_id and {column} bigint[]"


def copy(chunk: Chunk) -> Result:
    """Put the files that were fetched into the operation's store, under the names they have."""
    if "to_fetch" not in chunk.columns:
        raise WrongPlan(NUMBERS.format(name="copy", column="to_fetch"))
    return Result(
        files=chunk.files,
        output={
            int(asset_id): {"files": len(chunk.files.get(int(asset_id), {}))}
            for asset_id in chunk.asset_ids
        },
    )


def remove(chunk: Chunk) -> Result:
    """Give up the artifacts that the input names; the runner removes what nobody else has."""
    if "to_remove" not in chunk.columns:
        raise WrongPlan(NUMBERS.format(name="remove", column="to_remove"))
    return Result(
        removed=chunk.columns["to_remove"].tolist(),
        output={
            int(asset_id): {"files": int(count)}
            for asset_id, count in zip(chunk.asset_ids, chunk.lengths, strict=True)
        },
    )
