"""Handlers that move artifacts: `copy` into another store, `remove` out of their own.

Both are told which ones by their input function, in an array of numbers of `v_artifacts`.
"""

from __future__ import annotations

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result


def require_column(chunk: Chunk, handler: str, column: str) -> None:
    """Raise WrongPlan unless the input has a column of artifacts' numbers."""
    if column not in chunk.columns:
        raise WrongPlan(f"{handler} needs an input function with asset_id and {column} bigint[]")


def copy(chunk: Chunk) -> Result:
    """Put the files that were fetched into the operation's store, under the names they have."""
    require_column(chunk, "copy", "to_fetch")
    return Result(
        files=chunk.files,
        output={
            int(asset_id): {"files": len(chunk.files.get(int(asset_id), {}))}
            for asset_id in chunk.asset_ids
        },
    )


def remove(chunk: Chunk) -> Result:
    """Give up the artifacts that the input names; the runner removes what nobody else has."""
    require_column(chunk, "remove", "to_remove")
    return Result(
        removed=chunk.columns["to_remove"].tolist(),
        output={
            int(asset_id): {"files": int(count)}
            for asset_id, count in zip(chunk.asset_ids, chunk.lengths, strict=True)
        },
    )
