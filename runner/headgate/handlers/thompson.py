"""Handler `thompson`: chooses variants by Thompson sampling, with a share for new ones.

Each variant's rate of success has the posterior Beta(successes + 1, failures + 1). One draw from
each is made; the highest draws are chosen. The seed comes with the input, so that a decision can be
made again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk, Result

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

VERSION: Final = sum(
    int(x) * y for x, y in zip(np.__version__.split(".")[:2], (10_000, 100), strict=True)
)
"""20300 is numpy 2.3: another version may draw other numbers from the same seed."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of the operation, in its `handler_options`."""

    top_k: int = 10
    """Number of variants to choose."""
    exploration_share: float = 0.3
    """Share of the choices for new variants; more where there are too few known ones. A variant
    without trials mostly draws more than all others: new and known ones have places apart."""
    min_impressions: int = 100
    """A variant with fewer trials is new."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Tuning:
        """Return the settings. Raises WrongPlan."""
        if unknown := sorted(options.keys() - set(cls.__slots__)):
            known = ", ".join(cls.__slots__)
            raise WrongPlan(f"thompson has no option {unknown[0]!r}; it has: {known}")
        how = cls(**options)
        if how.top_k < 1 or not 0 <= how.exploration_share <= 1 or how.min_impressions < 0:
            raise WrongPlan(f"thompson cannot choose so: {how}")
        return how


@dataclass(frozen=True, slots=True)
class Decision:
    """A draw for each variant, and the places of the chosen ones, the highest draw first."""

    draws: Floats
    chosen: Ints
    is_explored: Flags
    """For each chosen one, whether it is new."""


def choose(successes: Ints, failures: Ints, seed: int, how: Tuning) -> Decision:
    """Choose at most `top_k` variants; equal arguments give equal decisions."""
    generator = np.random.Generator(np.random.PCG64(seed))
    draws = generator.beta(successes + 1.0, failures + 1.0)
    is_new = successes + failures < how.min_impressions
    new, known = np.flatnonzero(is_new), np.flatnonzero(~is_new)
    slots = math.ceil(how.top_k * how.exploration_share - 1e-9)
    slots = max(min(slots, len(new)), min(how.top_k - len(known), len(new)))
    explored = new[_highest(draws[new], slots)]
    chosen = np.concatenate([explored, known[_highest(draws[known], how.top_k - slots)]])
    order = np.argsort(-draws[chosen], kind="stable")
    return Decision(draws, chosen[order], is_new[chosen[order]])


def _highest(values: Floats, count: int) -> Ints:
    """Return the places of the highest values, in no order."""
    if count >= len(values):
        return np.arange(len(values))
    return np.argpartition(-values, count)[:count]


def optimize(chunk: Chunk) -> Result:
    """Choose for each asset among its series `variant_no`, `successes` and `failures` by `seed`.

    A row for each variant: `draw`, `rank` (missing: not chosen), `is_explored`, and the numbers it
    was drawn from. An asset without variants is skipped; its output says how many were chosen.
    """
    how = Tuning.of(chunk.options)
    parts: list[dict[str, npt.NDArray[Any]]] = []
    skipped: dict[int, str] = {}
    output: dict[int, Any] = {}
    for nth, asset_id in enumerate(chunk.asset_ids.tolist()):
        rows = slice(int(chunk.starts[nth]), int(chunk.ends[nth]))
        if rows.start == rows.stop:
            skipped[asset_id] = "there are no variants to choose from yet"
            output[asset_id] = {"variants": 0, "chosen": 0, "explored": 0}
            continue
        taken = {x: chunk.columns[x][rows] for x in ("variant_no", "successes", "failures")}
        seed = int(chunk.values["seed"][nth])
        made = choose(taken["successes"], taken["failures"], seed, how)
        parts.append(_rows(asset_id, taken, made))
        output[asset_id] = {
            "variants": len(made.draws),
            "chosen": len(made.chosen),
            "explored": int(made.is_explored.sum()),
            "seed": seed,
        }
    names = parts[0] if parts else ()
    joined = {x: np.concatenate([part[x] for part in parts]) for x in names}
    return Result(joined or None, skipped=skipped, output=output)


def _rows(asset_id: int, taken: Mapping[str, Ints], made: Decision) -> dict[str, npt.NDArray[Any]]:
    count = len(made.draws)
    rank = np.full(count, np.nan)
    rank[made.chosen] = np.arange(1, len(made.chosen) + 1)
    is_explored = np.zeros(count, bool)
    is_explored[made.chosen] = made.is_explored
    return {
        "asset_id": np.full(count, asset_id, np.int64),
        **taken,
        "draw": made.draws,
        "rank": rank,
        "is_explored": is_explored,
        "numpy_version": np.full(count, VERSION, np.int32),
    }
