"""The two forms of the attacks: a short one inside `make test`, and a long one, `make attack`.

HEADGATE_ATTACK=long takes the long numbers. HEADGATE_ATTACK_SEED repeats what a seed did: the short
form has the same seed every day, the long one draws a new one and prints it.
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
    """Choose by the form."""
    return long if IS_LONG else short


def dice(attack: str) -> random.Random:
    """Return the dice of one attack: the same throws for the same seed."""
    return random.Random(f"{SEED} {attack}")


def tell(line: str) -> None:
    """Keep a figure for the summary at the end of the run."""
    FIGURES.append(line)
