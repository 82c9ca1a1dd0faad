"""EASE as published: weights in closed form, without building the matrix of users."""

from __future__ import annotations

import numpy as np
import pytest

from headgate.handlers.ease import BLOCK, Pairs, Weights, fit, invert, together


def test_weights_are_those_of_the_published_closed_form():
    matrix = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]], float)

    weights = whole(fit(pairs_of(matrix), regularization=2.0, neighbours=3))

    gram = matrix.T @ matrix
    assert np.diag(weights).tolist() == [0, 0, 0]
    for item in range(3):
        others = [x for x in range(3) if x != item]
        # Column j regresses item j on the others: (G + 2 I) without j, solved for G's column j.
        normal = gram[np.ix_(others, others)] + 2 * np.eye(2)
        solved = np.linalg.solve(normal, gram[others, item])
        assert weights[others, item] == pytest.approx(solved, rel=1e-5)


def test_only_the_largest_weights_of_an_item_are_kept():
    pairs = pairs_of(np.random.default_rng(7).random((40, 12)) < 0.3)

    full, cut = (whole(fit(pairs, 5.0, neighbours=x)) for x in (12, 4))

    assert (np.count_nonzero(cut, axis=0) == 4).all()
    for item in range(12):
        kept = np.flatnonzero(cut[:, item])
        assert set(kept) == set(np.argsort(-np.abs(full[:, item]))[:4])


def test_a_feature_is_as_half_a_user_who_took_all_items_that_have_it():
    matrix = (np.random.default_rng(5).random((40, 12)) < 0.3).astype(float)
    features = (np.random.default_rng(6).random((4, 12)) < 0.5).astype(float)

    weights = fit(pairs_of(matrix), 5.0, 12, features=pairs_of(features))

    rows = np.vstack([matrix, features / 2])
    inverse = np.linalg.inv(rows.T @ rows + 5 * np.eye(12))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    assert whole(weights) == pytest.approx(expected, abs=1e-5)


def test_scores_are_the_sums_of_the_weights_of_what_a_user_has():
    matrix = (np.random.default_rng(2).random((30, 9)) < 0.3).astype(float)
    pairs, users = pairs_of(matrix), np.array([3, 28, 3])

    weights = fit(pairs, 5.0, neighbours=4)

    assert pairs.rows(users) == pytest.approx(matrix[users])
    assert weights.scores(pairs, users) == pytest.approx(matrix[users] @ whole(weights))


def test_users_of_two_items_are_counted_without_the_users_matrix():
    matrix = (np.random.default_rng(3).random((200, 40)) < 0.1).astype(float)

    assert (together(pairs_of(matrix)) == matrix.T @ matrix).all()


@pytest.mark.parametrize("size", [1, 2, BLOCK - 1, 2 * BLOCK + 37])
def test_a_matrix_is_inverted_in_its_place_by_halves(size: int):
    random = np.random.default_rng(size)
    half = random.normal(size=(size, size))
    matrix = half @ half.T / size + np.eye(size)
    inverse = matrix.astype(np.float32)

    invert(inverse)

    assert inverse == pytest.approx(np.linalg.inv(matrix), abs=1e-4)


def pairs_of(matrix: np.ndarray) -> Pairs:
    """Return the pairs in a matrix of users x items."""
    users, items = np.nonzero(matrix)
    return Pairs(users, items, len(matrix), matrix.shape[1])


def whole(weights: Weights) -> np.ndarray:
    """Return the weights as a matrix of items x items."""
    matrix = np.zeros((weights.items, weights.items))
    matrix[weights.item_at, weights.neighbour_at] = weights.value
    return matrix
