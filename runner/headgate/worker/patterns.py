"""Regular expressions of response rules, bounded so that no answer can keep a search busy.

A search with `re` cannot be interrupted. So a pattern's worst case is bounded beforehand: the more
freedom its repeats have, the less of a text it sees, and a pattern that could explode is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import factorial

from headgate.errors import WrongPlan

LONGEST_HEAD = 65_536
SHORTEST_HEAD = 1_024
MAX_STEPS = 180_000_000  # a fifth of a second at most, measured

_TOKEN = re.compile(
    r"(?P<escape>\\.)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<repeat>[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})"
    r"|(?P<open>\((?:\?(?:P?<\w+>|<?[=!]|[aiLmsux-]*:))?)"
    r"|(?P<flags>\(\?[aiLmsux]+\))"
    r"|(?P<close>\))"
    r"|(?P<branch>\|)"
    r"|(?P<literal>.)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern, and how many characters of a text it may see."""

    regex: re.Pattern[str]
    head: int

    def found_in(self, text: str) -> bool:
        """Return whether the pattern occurs in the part of the text it may see."""
        return self.regex.search(text, 0, self.head) is not None


def compile_pattern(source: str, flags: re.RegexFlag = re.NOFLAG) -> Pattern:
    """Compile a pattern for the longest head of a text that bounds its worst case."""
    try:
        regex = re.compile(source, flags)
    except (re.error, OverflowError, RecursionError) as exc:
        raise WrongPlan(f"{source!r} is not a regular expression: {exc}") from exc
    unbounded, factor = _freedom(source)
    head = LONGEST_HEAD
    while head ** (unbounded + 1) * factor > MAX_STEPS * factorial(unbounded + 1):
        head //= 2
        if head < SHORTEST_HEAD:
            raise _unsafe(f"{source!r} repeats too freely for foreign text")
    return Pattern(regex, head)


def _freedom(source: str) -> tuple[int, int]:
    """Return the number of unbounded repeats, and the product of the choices of all others."""
    unbounded, factor = 0, 1
    open_groups: list[bool] = []
    varies = atom_varies = False
    for token in _TOKEN.finditer(source):
        kind, text = token.lastgroup, token.group()
        if kind == "open":
            open_groups.append(varies)
            varies = False
        elif kind == "close":
            atom_varies = varies
            varies = open_groups.pop() or varies
        elif kind == "branch":
            varies = True
            factor += 1
        elif kind == "repeat":
            least, most = _bounds(text)
            if atom_varies and most != 1:
                raise _unsafe(f"{source!r} repeats what itself repeats or branches")
            if most is None:
                unbounded += 1
            else:
                factor *= most - least + 1
            varies = varies or least != most
        elif kind == "escape" and text[1] in "123456789":
            raise _unsafe(f"{source!r} refers back to what it found")
        if kind not in ("close", "repeat"):
            atom_varies = False
    return unbounded, factor


def _unsafe(message: str) -> WrongPlan:
    return WrongPlan(message, hint="bound its repeats, as in .{0,80}, or match plain words")


def _bounds(repeat: str) -> tuple[int, int | None]:
    simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
    if repeat in simple:
        return simple[repeat]
    least, comma, most = repeat[1:-1].partition(",")
    if not comma:
        return int(least), int(least)
    return int(least or 0), int(most) if most else None
