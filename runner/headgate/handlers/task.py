"""Runs a handler over a chunk: a pure function from the input read to the rows to write.

It works the same in a local process and on a Dask worker. If the handler raises, the chunk is
halved until the asset at fault is alone. A breach of the contract is the plan's fault: all jobs of
the chunk are deferred.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from headgate.errors import WrongPlan
from headgate.files import DiskFull, refuse_full_disk
from headgate.handlers.contract import Chunk, Result
from headgate.handlers.input import read_chunk
from headgate.handlers.named import HANDLER, as_json, bounded, find, told
from headgate.handlers.pool_messages import Done, Job, RowType, Spooled, Task
from headgate.handlers.rows import WrongResult, pack_rows
from headgate.handlers.spool import spool

Handler: TypeAlias = Callable[[Chunk], Result]
Part: TypeAlias = tuple[
    list[Job], dict[str, npt.NDArray[Any]] | None, list[int], list[Spooled], list[int]
]

SHOWN: Final = 5
LARGEST_OUTPUTS: Final = 16 * 1024 * 1024


def compute(task: Task) -> Done:
    """Run the task's handler; all exceptions but MemoryError become outcomes of jobs."""
    started = time.perf_counter()
    try:
        handler = find(HANDLER, task.handler, task.place)
        chunk = read_chunk(task)
        jobs, columns, counts, files, removed = _run(handler, chunk, task.row_type)
        rows = pack_rows(columns, task.row_type) if columns and task.row_type else b""
    except DiskFull as exc:  # no asset is at fault: the jobs wait
        jobs, rows = [Job(x, "retry", str(exc), is_ours=True) for x in task.asset_ids], b""
        counts, files, removed = [], [], []
    except (WrongPlan, WrongResult) as exc:
        jobs, rows = [Job(x, "deferred", str(exc)) for x in task.asset_ids], b""
        counts, files, removed = [], [], []
    seconds = time.perf_counter() - started
    return Done(jobs, rows, counts, seconds=seconds, files=files, removed=removed)


def _run(handler: Handler, chunk: Chunk, row_type: RowType | None) -> Part:
    """Run the handler; if it raises, run it on halves until the asset at fault is alone."""
    try:
        result = handler(chunk)
    except (MemoryError, WrongPlan, WrongResult):
        raise
    except Exception as exc:
        refuse_full_disk(exc)
        if len(chunk) == 1:
            return [Job(int(chunk.asset_ids[0]), "failed", told(exc))], None, [0], [], []
        half = len(chunk) // 2
        left = _run(handler, chunk.take(0, half), row_type)
        right = _run(handler, chunk.take(half, len(chunk)), row_type)
        return _joined(left, right)
    return _judge(chunk, result, row_type)


def _joined(left: Part, right: Part) -> Part:
    both = [part[1] for part in (left, right) if part[1] is not None]
    columns = (
        {name: np.concatenate([part[name] for part in both]) for name in both[0]} if both else None
    )
    return (
        left[0] + right[0], columns, left[2] + right[2], left[3] + right[3], left[4] + right[4],
    )  # fmt: skip


def _judge(chunk: Chunk, result: object, row_type: RowType | None) -> Part:
    """Return every asset's outcome and rows, in the chunk's order. Raises WrongResult."""
    if not isinstance(result, Result):
        raise WrongResult(f"the handler returned {type(result).__name__}, not a Result")
    columns = _columns(result.rows, row_type)
    if columns is None:
        rows, strange = [result.staged.get(x, 0) for x in chunk.asset_ids.tolist()], ""
    else:
        columns, counts, strange = _by_asset(chunk, columns)
        rows = counts.tolist()
    outputs = _outputs(chunk, result.output)
    jobs = []
    for nth, asset_id in enumerate(chunk.asset_ids.tolist()):
        outcome, error = _outcome(asset_id, result, rows[nth], row_type, strange)
        if outcome != "success" and rows[nth]:
            raise WrongResult(f"asset {asset_id} has rows, and is {outcome} at the same time")
        jobs.append(Job(asset_id, outcome, error, outputs.get(asset_id)))
    removed = [int(x) for x in result.removed]
    return jobs, columns, rows, spool(chunk, result.files), removed


def _outcome(
    asset_id: int, result: Result, rows: int, row_type: RowType | None, strange: str
) -> tuple[str, str | None]:
    """Return an asset's outcome, and its error."""
    if asset_id in result.failed:
        return "failed", bounded(result.failed[asset_id])
    if asset_id in result.retry:
        return "retry", bounded(result.retry[asset_id])
    if asset_id in result.unknown:
        return "unknown", bounded(result.unknown[asset_id])
    if asset_id in result.skipped:
        return "skipped", bounded(result.skipped[asset_id])
    if rows == 0 and row_type is not None:
        return "failed", f"the handler returned no row for it{strange}"
    return "success", None


def _outputs(chunk: Chunk, given: Mapping[int, Any]) -> dict[int, str]:
    """Return the outputs of assets as JSON. Raises WrongResult."""
    if not isinstance(given, Mapping):
        raise WrongResult(f"the handler's output is {type(given).__name__}, no values by asset")
    outputs = {}
    for asset_id, value in given.items():
        try:
            outputs[int(asset_id)] = as_json(value, _plain)
        except ValueError as exc:
            raise WrongResult(f"the output of asset {asset_id} {exc}") from exc
    if others := set(outputs) - set(chunk.asset_ids.tolist()):
        shown = ", ".join(str(x) for x in sorted(others)[:SHOWN])
        raise WrongResult(f"the handler has an output of no asset of the chunk: {shown}")
    if sum(map(len, outputs.values())) > LARGEST_OUTPUTS:
        raise WrongResult(f"the handler's outputs have more than {LARGEST_OUTPUTS} characters")
    return outputs


def _plain(value: Any) -> Any:
    """Return a number or an array of numpy as Python's own type, for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"it holds {type(value).__name__}")


def _columns(rows: Any, row_type: RowType | None) -> dict[str, npt.NDArray[Any]] | None:
    """Return the rows as arrays of equal length, with exactly the columns of the row type."""
    if rows is None:
        return None
    if row_type is None:
        raise WrongResult("the handler returned rows, but its operation has no ingest function")
    if not isinstance(rows, Mapping) and not hasattr(rows, "columns"):
        raise WrongResult(f"the handler's rows are {type(rows).__name__}, no columns by name")
    names = [str(name) for name in (rows if isinstance(rows, Mapping) else rows.columns)]
    wanted = [name for name, _ in row_type.columns]
    if sorted(names) != sorted(wanted):
        missing = ", ".join(sorted(set(wanted) - set(names))) or "none"
        unknown = ", ".join(sorted(set(names) - set(wanted))) or "none"
        raise WrongResult(
            f"the handler's rows have the wrong columns; missing: {missing}; unknown: {unknown}"
        )
    columns = {name: _array(rows[name]) for name in wanted}
    lengths = {name: column.shape for name, column in columns.items()}
    if len(set(lengths.values())) != 1 or columns["asset_id"].ndim != 1:
        shown = ", ".join(f"{name} {shape}" for name, shape in list(lengths.items())[:SHOWN])
        raise WrongResult(f"the handler's columns differ in shape: {shown}")
    return columns


def _array(values: Any) -> npt.NDArray[Any]:
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind == "U" else array


def _by_asset(
    chunk: Chunk, columns: dict[str, npt.NDArray[Any]]
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.int64], str]:
    """Return rows in the chunk's order, their counts, and a note on keys that are no asset's."""
    keys = columns["asset_id"]
    sorter = np.argsort(chunk.asset_ids, kind="stable")
    with np.errstate(invalid="ignore"):
        try:
            numbers = keys.astype(np.float64)
        except (TypeError, ValueError) as exc:
            raise WrongResult(f"the handler's column asset_id holds no numbers: {exc}") from exc
        ids = np.where(np.isfinite(numbers), keys if keys.dtype.kind in "iu" else numbers, -1)
    ids = ids.astype(np.int64)
    place = np.searchsorted(chunk.asset_ids, ids, sorter=sorter).clip(max=len(chunk) - 1)
    place = sorter[place]
    is_known = (chunk.asset_ids[place] == ids) & np.isfinite(numbers)
    strange = ""
    if not is_known.all():
        others = ", ".join(str(x) for x in keys[~is_known][:SHOWN].tolist())
        strange = f"; {int((~is_known).sum())} of its rows are of no asset of the chunk: {others}"
    order = np.flatnonzero(is_known)
    order = order[np.argsort(place[order], kind="stable")]
    counts = np.bincount(place[order], minlength=len(chunk)).astype(np.int64)
    if not np.array_equal(order, np.arange(len(keys))):
        columns = {name: column[order] for name, column in columns.items()}
    return columns | {"asset_id": ids[order]}, counts, strange
