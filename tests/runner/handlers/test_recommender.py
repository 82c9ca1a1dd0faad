"""A recommender is evaluated on unseen pairs, against popularity, and is reproducible."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from headgate.handlers import Chunk, Result
from headgate.handlers.recommender import TESTED, Interactions, evaluate, train


def test_a_pattern_is_found_that_popularity_misses():
    """Each group of users takes its own items; popularity recommends the same items to all."""
    users, items = circles()

    figures = evaluate(Interactions.of(users, items))

    assert figures["tested_users"] > 100
    assert figures["ndcg_at_10"] > figures["popularity_ndcg_at_10"] + 0.1
    assert figures["recall_at_10"] > figures["popularity_recall_at_10"]
    assert figures["precision_at_10"] > figures["popularity_precision_at_10"]


def test_without_a_pattern_the_model_is_not_better_than_popularity():
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(80), 6)
    items = random.zipf(1.6, len(users)) % 40

    figures = evaluate(Interactions.of(users, items))

    assert figures["ndcg_at_10"] <= figures["popularity_ndcg_at_10"] + 0.02


def test_the_figures_of_one_user_are_as_counted_by_hand(monkeypatch):
    """One of two held-out items is ranked first, the other not at all."""
    users = np.array([1, 1, 1, 2, 2, 2, 3, 3])
    items = np.array([10, 11, 12, 10, 11, 13, 10, 14])
    given = Interactions.of(users, items)
    held = (given.users[given.pairs.user_at] == 3) & (given.items[given.pairs.item_at] == 10)
    monkeypatch.setattr(Interactions, "folds", lambda self, count: np.where(held, 0, 1))

    figures = evaluate(given, folds=1)

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
    share = np.bincount(fold, minlength=5) / len(pairs.pairs)
    assert share.min() > 0.15
    assert share.max() < 0.25


def test_users_with_few_pairs_train_but_are_not_tested_where_so_asked():
    users, items = circles()
    users, items = np.append(users, [900, 900]), np.append(items, [0, 1])
    given = Interactions.of(users, items)

    few = np.flatnonzero(given.users == 900)

    assert any(few in tested for _, _, tested in given.tests(5))
    assert not any(few in tested for _, _, tested in given.tests(5, least=3))
    assert all(known.users == 61 for known, _, _ in given.tests(5, least=3))


def test_of_many_users_some_of_all_are_tested_and_no_more_folds_are_trained():
    count = 3 * TESTED
    users = np.repeat(np.arange(count), 8)
    given = Interactions.of(users, np.random.default_rng(4).integers(0, 30, len(users)))

    (only,) = given.tests(5)

    tested = only[2]
    assert len(tested) == TESTED == len(set(tested))
    assert tested.min() < count / 10
    assert tested.max() > count * 9 / 10


def test_a_pair_that_comes_twice_counts_once():
    pairs = Interactions.of(np.array([1, 1, 2]), np.array([5, 5, 5]))

    assert len(pairs.pairs) == 2


def test_a_chunk_becomes_figures_and_weights():
    users, items = circles()

    result = train(chunk(users, items))

    assert result.failed == {}
    rows = columns(result)
    figures = dict(zip(rows["figure"], rows["value"], strict=True))
    figures.pop(None)
    assert figures["training_samples"] == len(Interactions.of(users, items).pairs)
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


def test_features_help_with_items_that_few_took():
    """Each item is taken only by a few users of its own group; the feature is the group."""
    random = np.random.default_rng(8)
    users = np.repeat(np.arange(100), 3)
    items = 100 * (users % 20) + random.integers(0, 8, len(users))
    known = np.unique(items)

    plain = evaluate(Interactions.of(users, items))
    helped = evaluate(Interactions.of(users, items).with_features(known // 100, known))

    assert helped["ndcg_at_10"] > plain["ndcg_at_10"] * 1.2
    assert helped["popularity_ndcg_at_10"] == plain["popularity_ndcg_at_10"]
    assert helped["tested_users"] == plain["tested_users"]


def test_rows_of_a_chunk_may_be_features_also_of_items_that_nobody_took():
    users, items = circles()
    known = np.append(np.unique(items), 5_000)
    with_features = chunk(
        np.append(users, known // 100),
        np.append(items, known),
        is_feature=np.append(np.zeros(len(users), bool), np.ones(len(known), bool)),
    )

    result = train(with_features)

    rows = columns(result)
    figures = dict(zip(rows["figure"], rows["value"], strict=True))
    assert figures["training_samples"] == len(Interactions.of(users, items).pairs)
    assert 5_000 not in rows["item_id"]


def test_too_little_to_train_on_fails_and_says_so():
    result = train(chunk(np.array([1, 1]), np.array([5, 6])))

    assert result.rows is None
    assert result.failed == {7: "1 users and 2 items: too few to train on"}


def columns(result: Result) -> dict[str, np.ndarray]:
    """Return the columns of a result that has rows."""
    assert isinstance(result.rows, dict)
    return result.rows


def circles() -> tuple[np.ndarray, np.ndarray]:
    """Return four groups of 15 users, each of whom took 8 of the group's own 12 items."""
    random = np.random.default_rng(11)
    users = np.repeat(np.arange(60), 8)
    items = [
        100 * (user // 15) + item
        for user in range(60)
        for item in random.choice(12, 8, replace=False)
    ]
    return users, np.array(items)


def chunk(
    users: np.ndarray,
    items: np.ndarray,
    is_feature: np.ndarray | None = None,
    **parameters: float,
) -> Chunk:
    """Return a chunk of the single asset 7."""
    given = {} if is_feature is None else {"is_feature": is_feature}
    return Chunk(
        asset_ids=np.array([7]),
        codes=["model"],
        watermarks=np.array(["NaT"], "datetime64[us]"),
        parameters=parameters,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        columns={"user_id": users, "item_id": items, **given},
        lengths=np.array([len(users)]),
    )
