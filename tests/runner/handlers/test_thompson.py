"""Thompson sampling: its choices have the right probabilities, keep their share for new variants, and cost little regret."""

from __future__ import annotations

from datetime import UTC, datetime
from math import lgamma

import numpy as np
import numpy.typing as npt
import pytest

from headgate.demo.services.audience import HOOKS, Audience
from headgate.errors import WrongPlan
from headgate.handlers.contract import Chunk
from headgate.handlers.thompson import Tuning, choose, optimize
from tests.benchmarks.viral import regrets

BEST = Tuning(top_k=1, exploration_share=0, min_impressions=0)


def chunk(successes: list[int], failures: list[int], **options: object) -> Chunk:
    count = len(successes)
    return Chunk(
        asset_ids=np.array([7]),
        codes=["viral_decision"],
        watermarks=np.array(["NaT"], "datetime64[us]"),
        parameters={},
        now=datetime(2026, 1, 1, tzinfo=UTC),
        columns={
            "variant_no": np.arange(count),
            "successes": np.array(successes, np.int64),
            "failures": np.array(failures, np.int64),
        },
        values={"seed": np.array([5])},
        lengths=np.array([count]),
        options=options,
    )


def probabilities_of_being_best(
    successes: npt.NDArray[np.int64], failures: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Integrate numerically: each arm's density times the others' distribution functions."""
    x = (np.arange(200_000) + 0.5) / 200_000
    densities, below = [], []
    for s, f in zip(successes.tolist(), failures.tolist(), strict=True):
        scale = lgamma(s + f + 2) - lgamma(s + 1) - lgamma(f + 1)
        densities.append(np.exp(scale + s * np.log(x) + f * np.log1p(-x)))
        below.append(np.cumsum(densities[-1]) / len(x))
    found = [
        (density * np.prod([y for m, y in enumerate(below) if m != n], axis=0)).mean()
        for n, density in enumerate(densities)
    ]
    return np.array(found)


def test_v4_each_variant_is_chosen_as_often_as_it_is_probably_the_best():
    successes, failures = np.array([9, 30, 2, 0]), np.array([90, 270, 10, 40])
    wanted = probabilities_of_being_best(successes, failures)
    tries = 5_000
    chosen = [choose(successes, failures, seed, BEST).chosen[0] for seed in range(tries)]
    share = np.bincount(chosen, minlength=4) / tries

    assert wanted.sum() == pytest.approx(1, abs=1e-4)
    assert np.all(np.abs(share - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / tries))


@pytest.mark.parametrize(
    ("new", "old", "explored", "chosen"), [(50, 50, 3, 10), (2, 50, 2, 10), (50, 0, 10, 10), (9, 4, 6, 10), (3, 4, 3, 7), (1, 0, 1, 1), (0, 9, 0, 9)]
)  # fmt: skip
def test_v4_a_share_of_the_choices_is_for_new_variants(
    new: int, old: int, explored: int, chosen: int
):
    successes = np.array([0] * new + [900] * old)
    failures = np.array([99] * new + [100] * old)
    made = choose(successes, failures, 1, Tuning())

    assert len(set(made.chosen.tolist())) == len(made.chosen) == chosen
    assert made.is_explored.sum() == explored
    assert np.all(made.chosen[made.is_explored] < new)
    assert (np.diff(made.draws[made.chosen]) <= 0).all()


def test_equal_seeds_decide_equally_and_the_rows_say_it_all():
    given = chunk([3, 50, 0], [9, 100, 0], top_k=2)
    result = optimize(given)

    assert result.output[7] == {"variants": 3, "chosen": 2, "explored": 1, "seed": 5}
    rows = result.rows
    assert rows is not None
    made = choose(np.array([3, 50, 0]), np.array([9, 100, 0]), 5, Tuning(top_k=2))
    assert rows["draw"].tolist() == made.draws.tolist()
    assert np.nansum(rows["rank"]) == 3
    assert rows["is_explored"].sum() == 1


def test_without_variants_nothing_is_chosen_and_a_reason_given():
    result = optimize(chunk([], []))
    assert result.skipped == {7: "there are no variants to choose from yet"}
    assert result.output[7]["chosen"] == 0


@pytest.mark.parametrize("options", [{"top": 3}, {"top_k": 0}, {"exploration_share": 1.5}])
def test_a_wrong_option_is_the_plans_fault(options: dict[str, float]):
    with pytest.raises(WrongPlan, match="thompson"):
        optimize(chunk([1], [1], **options))


def test_v4_regret_over_10_000_rounds_is_lower_than_epsilon_greedys_and_the_uniform_choices():
    found = regrets(rounds=10_000, seeds=range(1))
    assert found["thompson"] < found["epsilon-greedy"] < found["uniform"]


def test_v4_a_month_of_flywheels_makes_the_audience_react_more():
    audience = Audience(clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    rates = []
    for flywheel in range(60):
        arms = [*audience.variants.values()]
        before = [sum(x.successes for x in arms), sum(x.successes + x.failures for x in arms)]
        successes = np.array([x.successes for x in arms])
        made = choose(successes, np.array([x.failures for x in arms]), flywheel, Tuning())
        audience.publish({arms[x].variant_id: 1.0 for x in made.chosen})
        after = [sum(x.successes for x in arms), sum(x.successes + x.failures for x in arms)]
        rates.append((after[0] - before[0]) / (after[1] - before[1]))
        audience.generate("ai_engineer")

    assert np.mean(rates[-20:]) > np.mean(rates[:5])
    assert np.mean(rates[-20:]) > 1.25 * np.mean([x for _, _, x in HOOKS.values()])
