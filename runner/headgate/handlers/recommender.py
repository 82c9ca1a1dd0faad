"""Train a recommender on who took what, and measure it beside popularity: handler `recommender`.

The model is EASE (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019): weights
between items in closed form. With X the users x items matrix of ones and zeros and
P = inverse(X'X + regularization x identity), the weight of item i for item j is
-P[i, j] / P[j, j], and an item's score for a user is the sum of its weights for the user's items.
Weights are rows, so that SQL makes the recommendations; a model is never a pickle.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headgate.handlers.contract import Chunk, Result

REGULARIZATION: Final = 5.0
NEIGHBOURS: Final = 50
"""Weights kept for each item, the largest by absolute value."""
FOLDS: Final = 5
TOP: Final = 10
"""Recommendations that the evaluation looks at."""

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interactions:
    """Pairs of a user and an item, each once, by position in `users` and `items`."""

    users: Ids
    items: Ids
    user_at: npt.NDArray[np.intp]
    item_at: npt.NDArray[np.intp]

    @classmethod
    def of(cls, users: Ids, items: Ids) -> Interactions:
        """Return the pairs without repeats; `users` and `items` are of one length."""
        pairs = np.unique(np.column_stack([users, items]).astype(np.int64), axis=0)
        user_ids, user_at = np.unique(pairs[:, 0], return_inverse=True)
        item_ids, item_at = np.unique(pairs[:, 1], return_inverse=True)
        return cls(user_ids, item_ids, user_at, item_at)

    def __len__(self) -> int:
        return len(self.user_at)

    def matrix(self, chosen: npt.NDArray[np.bool_] | None = None) -> Matrix:
        """Return users x items, 1 where the pair is there (and chosen)."""
        matrix = np.zeros((len(self.users), len(self.items)))
        pick = slice(None) if chosen is None else chosen
        matrix[self.user_at[pick], self.item_at[pick]] = 1
        return matrix

    def folds(self, count: int) -> npt.NDArray[np.int64]:
        """Return each pair's fold: by a hash of its ids, so the same in every training."""
        mixed = self.users[self.user_at].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= self.items[self.item_at].astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        return ((mixed >> np.uint64(33)) % np.uint64(count)).astype(np.int64)


def fit(
    matrix: Matrix, regularization: float = REGULARIZATION, neighbours: int = NEIGHBOURS
) -> Matrix:
    """Return EASE's weights, items x items; but each item's largest they are 0."""
    inverse = np.linalg.inv(matrix.T @ matrix + regularization * np.eye(matrix.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    if neighbours < len(weights):
        size = np.abs(weights)
        least = np.partition(size, -neighbours, axis=0)[-neighbours]
        weights[size < least] = 0
    return weights


def evaluate(
    interactions: Interactions,
    regularization: float = REGULARIZATION,
    neighbours: int = NEIGHBOURS,
    folds: int = FOLDS,
) -> dict[str, float]:
    """Return precision, recall and NDCG at 10 of the model and of popularity, over all folds.

    Each pair is held out once and predicted from the pairs of the other folds. A user counts in a
    fold with at least one pair held out and one left to predict from.
    """
    fold = interactions.folds(folds)
    model: list[Floats] = []
    popularity: list[Floats] = []
    for nth in range(folds):
        known = interactions.matrix(fold != nth)
        hidden = interactions.matrix(fold == nth)
        tested = np.flatnonzero(hidden.any(axis=1) & known.any(axis=1))
        if not len(tested):
            continue
        seen, wanted = known[tested], hidden[tested]
        model.append(_marks(seen @ fit(known, regularization, neighbours), seen, wanted))
        popularity.append(_marks(np.tile(known.sum(axis=0), (len(tested), 1)), seen, wanted))
    return dict(_figures("", model)) | dict(_figures("popularity_", popularity))


def _marks(scores: Floats, seen: Matrix, wanted: Matrix) -> Floats:
    """Return precision, recall and NDCG at 10 for each user, users x 3."""
    count = min(TOP, scores.shape[1])
    ranked = np.argsort(-np.where(seen > 0, -np.inf, scores), axis=1, kind="stable")[:, :count]
    hits = np.take_along_axis(wanted, ranked, axis=1)
    discount = 1 / np.log2(np.arange(2, count + 2))
    total = wanted.sum(axis=1)
    ideal = np.cumsum(discount)[np.minimum(total, count).astype(int) - 1]
    return np.column_stack(
        [hits.sum(axis=1) / TOP, hits.sum(axis=1) / total, hits @ discount / ideal]
    )


def _figures(prefix: str, marks: list[Floats]) -> Iterator[tuple[str, float]]:
    means = np.concatenate(marks).mean(axis=0) if marks else np.zeros(3)
    for name, mean in zip(("precision", "recall", "ndcg"), means, strict=True):
        yield f"{prefix}{name}_at_{TOP}", float(mean)
    if not prefix:
        yield "tested_users", float(sum(map(len, marks)))


def train(chunk: Chunk) -> Result:
    """Train one model for each asset, on its series `user_id` and `item_id`.

    Its rows are weights (`item_id`, `neighbour_id`, `value`) and figures (`figure`, `value`): those
    of `evaluate`, and `training_samples`, how many pairs there are. The run's parameters
    `regularization` and `neighbours` replace the defaults. An asset with fewer than two users or
    items fails with that reason.
    """
    regularization = float(chunk.parameters.get("regularization") or REGULARIZATION)
    neighbours = int(chunk.parameters.get("neighbours") or NEIGHBOURS)
    parts: list[dict[str, npt.NDArray[Any]]] = []
    failed: dict[int, str] = {}
    for nth, asset_id in enumerate(chunk.asset_ids.tolist()):
        rows = slice(int(chunk.starts[nth]), int(chunk.ends[nth]))
        pairs = Interactions.of(chunk.columns["user_id"][rows], chunk.columns["item_id"][rows])
        if len(pairs.users) < 2 or len(pairs.items) < 2:
            failed[asset_id] = (
                f"{len(pairs.users)} users and {len(pairs.items)} items: too few to train on"
            )
            continue
        figures = evaluate(pairs, regularization, neighbours)
        figures["training_samples"] = float(len(pairs))
        weights = fit(pairs.matrix(), regularization, neighbours)
        parts.append(_rows(asset_id, pairs, weights, figures))
    if not parts:
        return Result(failed=failed)
    return Result({x: np.concatenate([p[x] for p in parts]) for x in parts[0]}, failed=failed)


def _rows(
    asset_id: int, pairs: Interactions, weights: Matrix, figures: dict[str, float]
) -> dict[str, npt.NDArray[Any]]:
    at, neighbour_at = np.nonzero(weights)
    count = len(at) + len(figures)
    nothing = np.full(len(figures), np.nan)
    return {
        "asset_id": np.full(count, asset_id, np.int64),
        "figure": np.array([*figures, *[None] * len(at)], object),
        "item_id": np.concatenate([nothing, pairs.items[at]]),
        "neighbour_id": np.concatenate([nothing, pairs.items[neighbour_at]]),
        "value": np.concatenate([list(figures.values()), weights[at, neighbour_at]]),
    }
