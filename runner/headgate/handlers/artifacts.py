"""Handlers that move artifacts: `copy` into another store, `remove` out of their store.

The input function names the artifacts in an array of ids of `v_artifacts`.
"""

from __future__ import annotations

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result


def require_column(chunk: Chunk, handler: str, column: str) -> None:
    """Raise WrongPlan unless the input has this column of artifact ids."""
    if column not in chunk.columns:
        raise WrongPlan(f"{handler} needs an input function with asset_id and {column} bigint[]")


def copy(chunk: Chunk) -> Result:
    """Put the fetched files into the operation's store, under their current names."""
    require_column(chunk, "copy", "to_fetch")
    return Result(
        files=chunk.files,
        output={
            int(asset_id): {"files": len(chunk.files.get(int(asset_id), {}))}
            for asset_id in chunk.asset_ids
        },
    )


def remove(chunk: Chunk) -> Result:
    """Release the artifacts that the input names; the runner removes those unused elsewhere."""
    require_column(chunk, "remove", "to_remove")
    return Result(
        removed=chunk.columns["to_remove"].tolist(),
        output={
            int(asset_id): {"files": int(count)}
            for asset_id, count in zip(chunk.asset_ids, chunk.lengths, strict=True)
        },
    )
