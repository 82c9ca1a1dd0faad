"""implicit's ALS, a second opinion on the recommender: scores of all items for all users.

Run in an environment of its own: `als.py KNOWN.npz SCORES.npz`.
"""

from __future__ import annotations

import sys

import implicit.als
import numpy as np
import scipy.sparse

FACTORS = 32
REGULARIZATION = 0.1
ALPHA = 10.0
"""How much more a pair counts than its absence. No other was tried."""


def main(asked: str, said: str) -> None:
    """Train on each set of pairs."""
    found = {}
    with np.load(asked) as known:
        for nth, (users, items) in enumerate(known["shapes"]):
            user_at, item_at = known[f"{nth}"]
            ones = np.ones(len(user_at), np.float32)
            taken = scipy.sparse.csr_matrix((ones, (user_at, item_at)), shape=(users, items))
            model = implicit.als.AlternatingLeastSquares(
                FACTORS, regularization=REGULARIZATION, alpha=ALPHA, iterations=20, random_state=1
            )
            model.fit(taken, show_progress=False)
            found[f"{nth}"] = model.user_factors @ model.item_factors.T
    np.savez(said, allow_pickle=False, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
