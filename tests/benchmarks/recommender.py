"""Benchmark of the recommender: its figures against popularity and implicit's ALS, its time and memory.

On real investments (HEADGATE_DATA), each deal is held out once in each of several splits. "Of five or more" leaves
out companies with fewer than five investors, and tests investors with five deals. ALS is a second opinion if
implicit is installed (`make bench/recommender`); it gets the same held-out deals, and the same code scores it. The
large data set is invented: users in twenty circles, who take half of their items from their own circle.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from headgate.handlers import Chunk
from headgate.handlers.ease import Floats, Pairs, Places
from headgate.handlers.recommender import (
    FOLDS,
    Interactions,
    evaluate,
    marks,
    means,
    popular,
    scorer,
    train,
)
from headgate.memory import peak_bytes
from headgate.settings import Settings
from tests.acceptance import real
from tests.benchmarks.measure import Figure
from tests.servers import DB

FOLDER: Final = "investors_companies"
ALS: Final = Path(__file__).parent / "rivals" / "als.py"
ALS_PYTHON: Final = DB.parent / ".venv-recommender" / "bin" / "python"
DENSE: Final = 5
CIRCLES: Final = 20
ANOTHER_SPLIT: Final = 1_000_003
"""Added to users' ids for another split: folds depend on a hash of the ids."""


@dataclass(slots=True)
class Marks:
    """Scores of each model, for each tested user, over all splits."""

    popularity: list[Floats] = field(default_factory=list)
    ease: list[Floats] = field(default_factory=list)
    als: list[Floats] = field(default_factory=list)

    def ratio(self) -> float:
        """Return the ratio of NDCG at 10 to popularity's."""
        ours, theirs = (means("", x)["ndcg_at_10"] for x in (self.ease, self.popularity))
        return ours / theirs

    def words(self) -> str:
        """Return all figures and the number of tests as text."""
        sides = {"popularity": self.popularity, "EASE": self.ease, "ALS": self.als}
        said = [
            f"{name} " + ", ".join(f"{x[:-6]} {y:.3f}" for x, y in means("", found).items())
            for name, found in sides.items()
            if found
        ]
        if not self.als:
            said.append("ALS is not installed here")
        return f"{'; '.join(said)}; {sum(map(len, self.ease)):,} tests"


def run(
    server: Settings,
    *,
    splits: int = 24,
    users: int = 100_000,
    items: int = 10_000,
    pairs: int = 5_000_000,
    runs: int = 3,
) -> Iterator[Figure]:
    """Measure on the real data, if available, and on invented data of the given size."""
    if (real.FOLDER / FOLDER).exists():
        yield from _on_real_data(splits, runs)
    yield from _on_made_up_data(users, items, pairs)


def _on_real_data(splits: int, runs: int) -> Iterator[Figure]:
    dense, every = (
        _compare([real_data(DENSE, nth) for nth in range(splits)], DENSE),
        _compare([real_data(1, nth) for nth in range(splits)], 2),
    )
    yield Figure(
        "recommender: NDCG at 10 against popularity, of five or more",
        dense.ratio(),
        at_least=2.0,
        detail=dense.words(),
    )
    yield Figure(
        "recommender: NDCG at 10 against popularity, all",
        every.ratio(),
        at_least=1.5,
        detail=every.words(),
    )
    given = real_data(1, 0)
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        evaluate(given)
        given.fit(given.pairs)
        took.append(time.perf_counter() - began)
    yield Figure(
        "recommender: training and measuring, the real data",
        min(took),
        unit="s",
        at_most=1.0,
        detail=f"{len(given.pairs):,} deals, {len(given.items)} companies, six models",
    )


def _compare(given: list[Interactions], least: int) -> Marks:
    found = Marks()
    tests = [(x, *test) for x in given for test in x.tests(FOLDS, least)]
    als = _scores_of_als([known for _, known, _, _ in tests])
    for nth, (interactions, known, hidden, tested) in enumerate(tests):
        ease = scorer(interactions.fit(known), known)
        found.ease.append(marks(ease, known, hidden, tested))
        found.popularity.append(marks(popular(known), known, hidden, tested))
        if als:
            found.als.append(marks(als[nth].__getitem__, known, hidden, tested))
    return found


def _scores_of_als(known: list[Pairs]) -> list[Floats]:
    """Return scores, users x items, for each test; [] if implicit is not installed."""
    if not ALS_PYTHON.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder) / "known.npz", Path(folder) / "scores.npz"
        columns = {f"{n}": np.stack([x.user_at, x.item_at]) for n, x in enumerate(known)}
        shapes = np.array([(x.users, x.items) for x in known])
        np.savez(asked, allow_pickle=False, shapes=shapes, **columns)
        subprocess.run([ALS_PYTHON, ALS, asked, said], check=True)
        with np.load(said) as scores:
            return [scores[f"{n}"] for n in range(len(known))]


def real_data(least_of_item: int, nth: int) -> Interactions:
    """Return the real deals without accelerators, of companies with enough investors, in the nth split.

    Features are those of the plan: category, status, the year of joining.
    """
    found = list(real.rows(f"{FOLDER}/investors.csv.gz"))
    accelerators = {x["investor_id"] for x in found if x["is_accelerator"] == "true"}
    deals = np.array(
        [
            (int(x["investor_id"][1:]) + nth * ANOTHER_SPLIT, int(x["company_id"][1:]))
            for x in real.rows(f"{FOLDER}/investments.csv.gz")
            if x["investor_id"] not in accelerators
        ]
    )
    deals = np.unique(deals, axis=0)
    deals = deals[np.bincount(deals[:, 1])[deals[:, 1]] >= least_of_item]
    features = [
        (int(x["company_id"][1:]), feature)
        for x in real.rows(f"{FOLDER}/companies.csv.gz")
        for feature in {*x["categories"].split("|"), x["status"], x["yc_year"]} - {""}
    ]
    companies, names = zip(*features, strict=True)
    _, numbers = np.unique(names, return_inverse=True)
    return Interactions.of(*deals.T).with_features(numbers, np.array(companies))


def _on_made_up_data(users: int, items: int, pairs: int) -> Iterator[Figure]:
    """Train in its own process, so that its peak memory is the training's."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.recommender",
        *map(str, (users, items, pairs)),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=DB.parent)
    said = json.loads(done.stdout)
    what = f"{users:,} users, {items:,} items, {pairs:,} pairs"
    yield Figure(
        f"recommender: training, {what}",
        said["seconds"],
        unit="s",
        at_most=60.0,
        detail=f"of a processor {said['processor']:.0f} s; the handler's whole call, which also"
        f" measures a second model, {said['call']:.0f} s: {said['words']}",
    )
    yield Figure(f"recommender: memory, {what}", said["gigabytes"], unit="GB", at_most=2.0)


def made_up(users: int, items: int, pairs: int) -> Chunk:
    """Return pairs, a few of them twice, of users and items of twenty circles."""
    random = np.random.default_rng(5)
    weight = random.permutation(1 / np.arange(1, items + 1) ** 0.7)
    user = random.integers(0, users, pairs)
    item = _drawn(random, np.arange(items), weight, pairs)
    in_circle = random.random(pairs) < 0.5
    for circle in range(CIRCLES):
        own = np.arange(circle, items, CIRCLES)
        which = np.flatnonzero(in_circle & (user % CIRCLES == circle))
        item[which] = _drawn(random, own, weight[own], len(which))
    return Chunk(
        asset_ids=np.array([1]),
        codes=["model"],
        watermarks=np.array(["NaT"], "datetime64[us]"),
        parameters={},
        now=datetime.now(UTC),
        columns={"user_id": user, "item_id": item},
        lengths=np.array([pairs]),
    )


def _drawn(random: np.random.Generator, of: Places, weight: Floats, count: int) -> Places:
    """Draw by weight, with replacement."""
    sums = np.cumsum(weight)
    at: Places = np.searchsorted(sums, random.random(count) * sums[-1], side="right")
    return of[at]


def _train(users: int, items: int, pairs: int) -> None:
    """Train once with the handler, and once the model alone; print times and memory."""
    chunk = made_up(users, items, pairs)
    began = time.perf_counter()
    rows = train(chunk).rows
    call = time.perf_counter() - began
    assert isinstance(rows, dict)
    figures = dict(zip(rows["figure"].tolist(), rows["value"].tolist(), strict=True))
    ours, theirs = figures["ndcg_at_10"], figures["popularity_ndcg_at_10"]
    given = Interactions.of(chunk.columns["user_id"], chunk.columns["item_id"])
    began, processor = time.perf_counter(), time.process_time()
    given.fit(given.pairs)
    took = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "call": call,
        "gigabytes": peak_bytes() / 1e9,
        "words": f"NDCG at 10 {ours:.3f}, popularity {theirs:.3f}",
    }
    print(json.dumps(took))


if __name__ == "__main__":
    _train(*map(int, sys.argv[1:]))
