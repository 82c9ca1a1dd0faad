"""The two forms of the attacks: a short one inside `make test`, and a long one, `make attack`.

HEADGATE_ATTACK=long selects the long form. HEADGATE_ATTACK_SEED repeats the attacks of a seed: the short form always
has the same seed, the long one draws a new one and prints it.
"""

from __future__ import annotations

import os
import random
from typing import Final, TypeVar

T = TypeVar("T")

IS_LONG: Final = os.environ.get("HEADGATE_ATTACK") == "long"
SEED: Final = int(
    os.environ.get("HEADGATE_ATTACK_SEED") or (random.randrange(1_000_000) if IS_LONG else 1)
)
FIGURES: Final[list[str]] = []


def either(short: T, long: T) -> T:
    """Return the value for the chosen form."""
    return long if IS_LONG else short


def dice(attack: str) -> random.Random:
    """Return the random numbers of one attack, the same for the same seed."""
    return random.Random(f"{SEED} {attack}")


def tell(line: str) -> None:
    """Add a line to the summary at the end of the test run."""
    FIGURES.append(line)
