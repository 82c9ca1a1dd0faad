"""Handler `recommender`: trains on users' items, and compares the model with popularity.

The model is EASE (`headgate.handlers.ease`). Its weights are stored as rows, so that SQL makes the
recommendations; no model is ever pickled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from headgate.handlers.contract import Chunk, Result
from headgate.handlers.ease import BLOCK, Floats, Pairs, Places, Weights, fit

FOLDS: Final = 5
TESTED: Final = 2_000
"""Maximum number of users tested over all folds; more would hardly make figures more exact."""
TOP: Final = 10
"""Number of recommendations per user that the evaluation looks at."""

Ids = npt.NDArray[np.int64]
Scorer = Callable[[Places], Floats]
"""Returns the scores of some users, users x items."""


@dataclass(frozen=True)
class Tuning:
    """Settings that a run's parameters may replace."""

    regularization: float | None = None
    """Default: the mean number of pairs of an item, which is near the best values that published
    trials found for data of very different sizes."""
    neighbours: int = 100
    """Number of weights kept for each item, those with the largest absolute values."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Tuning:
        """Return the settings from a run's parameters."""
        given = {x: parameters[x] for x in ("regularization", "neighbours") if parameters.get(x)}
        return cls(**given)


DEFAULT: Final = Tuning()


@dataclass(frozen=True)
class Interactions:
    """Distinct pairs of a user and an item, and the ids of their positions."""

    users: Ids
    items: Ids
    pairs: Pairs
    features: Pairs | None = None
    """Pairs of a feature and an item."""

    @classmethod
    def of(cls, users: Ids, items: Ids) -> Interactions:
        """Return the pairs without duplicates; `users` and `items` have the same length."""
        user_ids, user_at = np.unique(users.astype(np.int64), return_inverse=True)
        item_ids, item_at = np.unique(items.astype(np.int64), return_inverse=True)
        cells = np.unique(user_at * len(item_ids) + item_at)
        at = np.divmod(cells, len(item_ids))
        return cls(user_ids, item_ids, Pairs(*at, len(user_ids), len(item_ids)))

    def with_features(self, features: Ids, items: Ids) -> Interactions:
        """Return the interactions with features of items; features of other items are dropped."""
        is_taken = np.isin(items, self.items)
        if not is_taken.any():
            return self
        feature_ids, feature_at = np.unique(features[is_taken], return_inverse=True)
        item_at = np.searchsorted(self.items, items[is_taken])
        order = np.lexsort((item_at, feature_at))
        found = Pairs(feature_at[order], item_at[order], len(feature_ids), len(self.items))
        return replace(self, features=found)

    def fit(self, pairs: Pairs, how: Tuning = DEFAULT) -> Weights:
        """Return the model of these pairs."""
        regularization = how.regularization or max(1.0, len(self.pairs) / len(self.items))
        return fit(pairs, regularization, how.neighbours, self.features)

    def folds(self, count: int) -> Ids:
        """Return each pair's fold: by a hash of its ids, so the same in every training."""
        users, items = self.users[self.pairs.user_at], self.items[self.pairs.item_at]
        mixed = users.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= items.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        return ((mixed >> np.uint64(33)) % np.uint64(count)).astype(np.int64)

    def tests(self, folds: int, least: int = 2) -> Iterator[tuple[Pairs, Pairs, Places]]:
        """Yield for each fold the known pairs, the pairs held out, and the users to test.

        Each pair is held out once and predicted from the pairs of the other folds. A user is tested
        in a fold with at least one pair held out and one known, and with `least` pairs in all. No
        further fold follows once `TESTED` users have been tested.
        """
        fold, left = self.folds(folds), TESTED
        pairs_of_user, _ = self.pairs.counts()
        for nth in range(folds):
            known, hidden = self.pairs.take(fold != nth), self.pairs.take(fold == nth)
            both = np.minimum(known.counts()[0], hidden.counts()[0])
            tested = np.flatnonzero((both > 0) & (pairs_of_user >= least))
            tested = tested[np.linspace(0, len(tested) - 1, min(len(tested), left)).astype(int)]
            left -= len(tested)
            if len(tested):
                yield known, hidden, tested


def evaluate(
    interactions: Interactions,
    how: Tuning = DEFAULT,
    folds: int = FOLDS,
    least: int = 2,
) -> dict[str, float]:
    """Return precision, recall and NDCG at 10 of the model and of popularity, over all tests."""
    model: list[Floats] = []
    popularity: list[Floats] = []
    for known, hidden, tested in interactions.tests(folds, least):
        weights = interactions.fit(known, how)
        model.append(marks(scorer(weights, known), known, hidden, tested))
        popularity.append(marks(popular(known), known, hidden, tested))
    figures = means("", model) | means("popularity_", popularity)
    return figures | {"tested_users": float(sum(map(len, model)))}


def scorer(weights: Weights, known: Pairs) -> Scorer:
    """Return a scorer by the model."""
    return lambda users: weights.scores(known, users)


def popular(known: Pairs) -> Scorer:
    """Return a scorer by popularity: for every user, the number of users that have an item."""
    counts = known.counts()[1].astype(np.float64)
    return lambda users: np.tile(counts, (len(users), 1))


def marks(score: Scorer, known: Pairs, hidden: Pairs, tested: Places) -> Floats:
    """Return precision, recall and NDCG at 10 for each user, shape users x 3."""
    blocks = [tested[x : x + BLOCK] for x in range(0, len(tested), BLOCK)]
    return np.concatenate([_marks(score(x), known.rows(x), hidden.rows(x)) for x in blocks])


def _marks(scores: Floats, seen: Floats, wanted: Floats) -> Floats:
    count = min(TOP, scores.shape[1])
    ranked = np.argsort(-np.where(seen > 0, -np.inf, scores), axis=1, kind="stable")[:, :count]
    hits = np.take_along_axis(wanted, ranked, axis=1)
    discount = 1 / np.log2(np.arange(2, count + 2))
    total = wanted.sum(axis=1)
    ideal = np.cumsum(discount)[np.minimum(total, count).astype(int) - 1]
    return np.column_stack(
        [hits.sum(axis=1) / TOP, hits.sum(axis=1) / total, hits @ discount / ideal]
    )


def means(prefix: str, found: list[Floats]) -> dict[str, float]:
    """Return the means over all tested users, by name."""
    values = np.concatenate(found).mean(axis=0) if found else np.zeros(3)
    names = (f"{prefix}{x}_at_{TOP}" for x in ("precision", "recall", "ndcg"))
    return dict(zip(names, values.tolist(), strict=True))


def train(chunk: Chunk) -> Result:
    """Train one model for each asset, on its series `user_id` and `item_id`.

    If a third series, `is_feature`, is true, `user_id` is a feature of the item. Rows are weights
    (`item_id`, `neighbour_id`, `value`) and figures (`figure`, `value`): those of `evaluate`, and
    `training_samples`, the number of pairs. The run's parameters `regularization` and `neighbours`
    replace the defaults. An asset with fewer than two users or items fails.
    """
    how = Tuning.of(chunk.parameters)
    parts: list[dict[str, npt.NDArray[Any]]] = []
    failed: dict[int, str] = {}
    for nth, asset_id in enumerate(chunk.asset_ids.tolist()):
        found = _interactions(chunk, slice(int(chunk.starts[nth]), int(chunk.ends[nth])))
        if len(found.users) < 2 or len(found.items) < 2:
            failed[asset_id] = (
                f"{len(found.users)} users and {len(found.items)} items: too few to train on"
            )
            continue
        figures = evaluate(found, how)
        figures["training_samples"] = float(len(found.pairs))
        parts.append(_rows(asset_id, found, found.fit(found.pairs, how), figures))
    if not parts:
        return Result(failed=failed)
    return Result({x: np.concatenate([p[x] for p in parts]) for x in parts[0]}, failed=failed)


def _interactions(chunk: Chunk, rows: slice) -> Interactions:
    users, items = chunk.columns["user_id"][rows], chunk.columns["item_id"][rows]
    if "is_feature" not in chunk.columns:
        return Interactions.of(users, items)
    is_feature = chunk.columns["is_feature"][rows].astype(bool)
    found = Interactions.of(users[~is_feature], items[~is_feature])
    return found.with_features(users[is_feature], items[is_feature])


def _rows(
    asset_id: int, found: Interactions, weights: Weights, figures: dict[str, float]
) -> dict[str, npt.NDArray[Any]]:
    count = len(weights.value) + len(figures)
    nothing = np.full(len(figures), np.nan)
    return {
        "asset_id": np.full(count, asset_id, np.int64),
        "figure": np.array([*figures, *[None] * len(weights.value)], object),
        "item_id": np.concatenate([nothing, found.items[weights.item_at]]),
        "neighbour_id": np.concatenate([nothing, found.items[weights.neighbour_at]]),
        "value": np.concatenate([list(figures.values()), weights.value]),
    }
