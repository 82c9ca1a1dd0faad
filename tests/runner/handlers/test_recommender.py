"""The recommender is EASE as published, is measured on pairs it has not seen, and is the same twice."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from headgate.handlers import Chunk, Result
from headgate.handlers.recommender import Interactions, evaluate, fit, train


def test_weights_are_those_of_the_published_closed_form():
    matrix = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], float)

    weights = fit(matrix, regularization=2.0)

    gram = matrix.T @ matrix
    assert np.diag(weights).tolist() == [0, 0, 0]
    for item in range(3):
        others = [x for x in range(3) if x != item]
        # Column j regresses item j on the others: (G + 2 I) without j, solved for G's column j.
        normal = gram[np.ix_(others, others)] + 2 * np.eye(2)
        assert weights[others, item] == pytest.approx(np.linalg.solve(normal, gram[others, item]))


def test_only_the_largest_weights_of_an_item_are_kept():
    matrix = (np.random.default_rng(7).random((40, 12)) < 0.3).astype(float)

    whole, cut = fit(matrix, neighbours=12), fit(matrix, neighbours=4)

    assert (np.count_nonzero(cut, axis=0) == 4).all()
    for item in range(12):
        kept = np.flatnonzero(cut[:, item])
        assert set(kept) == set(np.argsort(-np.abs(whole[:, item]))[:4])


def test_a_pattern_is_found_that_popularity_misses():
    """Each circle takes its own items; popularity recommends the same ones to all."""
    users, items = circles()

    figures = evaluate(Interactions.of(users, items))

    assert figures["tested_users"] > 100
    assert figures["ndcg_at_10"] > figures["popularity_ndcg_at_10"] + 0.1
    assert figures["recall_at_10"] > figures["popularity_recall_at_10"]
    assert figures["precision_at_10"] > figures["popularity_precision_at_10"]


def test_without_a_pattern_it_is_no_better_than_popularity():
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(80), 6)
    items = random.zipf(1.6, len(users)) % 40

    figures = evaluate(Interactions.of(users, items))

    assert figures["ndcg_at_10"] <= figures["popularity_ndcg_at_10"] + 0.02


def test_the_figures_of_one_user_are_as_counted_by_hand(monkeypatch):
    """One of two items held out is found in the first place, the other not at all."""
    users = np.array([1, 1, 1, 2, 2, 2, 3, 3])
    items = np.array([10, 11, 12, 10, 11, 13, 10, 14])
    pairs = Interactions.of(users, items)
    held = (pairs.users[pairs.user_at] == 3) & (pairs.items[pairs.item_at] == 10)
    monkeypatch.setattr(Interactions, "folds", lambda self, count: np.where(held, 0, 1))

    figures = evaluate(pairs, folds=1)

    # Known of user 3: item 14. Popularity puts 10 and 11 (two each) first, in the order of ids.
    assert figures["tested_users"] == 1
    assert figures["popularity_ndcg_at_10"] == 1
    assert figures["popularity_recall_at_10"] == 1
    assert figures["popularity_precision_at_10"] == pytest.approx(0.1)


def test_each_pair_is_held_out_in_one_fold_and_always_the_same():
    users, items = circles()
    pairs = Interactions.of(users, items)
    shuffled = np.random.default_rng(1).permutation(len(users))

    fold = pairs.folds(5)

    assert fold.tolist() == Interactions.of(users[shuffled], items[shuffled]).folds(5).tolist()
    share = np.bincount(fold, minlength=5) / len(pairs)
    assert share.min() > 0.15
    assert share.max() < 0.25


def test_a_pair_that_comes_twice_counts_once():
    pairs = Interactions.of(np.array([1, 1, 2]), np.array([5, 5, 5]))

    assert len(pairs) == 2


def test_a_chunk_becomes_figures_and_weights():
    users, items = circles()

    result = train(chunk(users, items))

    assert result.failed == {}
    rows = columns(result)
    figures = dict(zip(rows["figure"], rows["value"], strict=True))
    figures.pop(None)
    assert figures["training_samples"] == len(Interactions.of(users, items))
    assert set(figures) == {
        "training_samples", "tested_users",
        "precision_at_10", "recall_at_10", "ndcg_at_10",
        "popularity_precision_at_10", "popularity_recall_at_10", "popularity_ndcg_at_10",
    }  # fmt: skip
    is_weight = np.array([x is None for x in rows["figure"]])
    assert set(rows["item_id"][is_weight]) == set(items)
    assert (rows["item_id"][is_weight] != rows["neighbour_id"][is_weight]).all()
    assert np.isnan(rows["item_id"][~is_weight]).all()


def test_parameters_of_the_run_replace_the_defaults():
    users, items = circles()

    result = train(chunk(users, items, neighbours=2, regularization=50))

    rows = columns(result)
    is_weight = np.array([x is None for x in rows["figure"]])
    _, counts = np.unique(rows["neighbour_id"][is_weight], return_counts=True)
    assert counts.max() == 2


def test_too_little_to_train_on_fails_and_says_so():
    result = train(chunk(np.array([1, 1]), np.array([5, 6])))

    assert result.rows is None
    assert result.failed == {7: "1 users and 2 items: too few to train on"}


def columns(result: Result) -> dict[str, np.ndarray]:
    """Return the rows of a result that has some."""
    assert isinstance(result.rows, dict)
    return result.rows


def circles() -> tuple[np.ndarray, np.ndarray]:
    """Return four circles of 15 users, each of whom took 8 of the circle's own 12 items."""
    random = np.random.default_rng(11)
    users = np.repeat(np.arange(60), 8)
    items = [
        100 * (user // 15) + item
        for user in range(60)
        for item in random.choice(12, 8, replace=False)
    ]
    return users, np.array(items)


def chunk(users: np.ndarray, items: np.ndarray, **parameters: float) -> Chunk:
    """Return a chunk of the one asset 7."""
    return Chunk(
        asset_ids=np.array([7]),
        codes=["model"],
        watermarks=np.array(["NaT"], "datetime64[us]"),
        parameters=parameters,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        columns={"user_id": users, "item_id": items},
        lengths=np.array([len(users)]),
    )
