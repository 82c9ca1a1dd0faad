"""A pipeline's steps, laid out as a graph by their levels of dependency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Final

WIDTH: Final = 196
HEIGHT: Final = 40
ACROSS, DOWN = 44, 24
"""Between two levels, for the lines: side by side, and below each other."""
ASIDE: Final = 14
"""Between two steps of a level."""
MARGIN: Final = 6
LETTERS: Final = 23
"""Characters of a name that fit into a box."""
MAX_ACROSS: Final = 5
"""Levels that fit side by side; with more, they are put below each other."""

NARROW: Final = 460
"""Width up to which there is room for something beside a graph."""


@dataclass(frozen=True, slots=True)
class Box:
    """A step: where it is drawn, and what is written in it."""

    step: str
    name: str
    """The step's name, cut to fit."""
    status: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Graph:
    """What a template draws."""

    width: float
    height: float
    box: tuple[int, int]
    """Width and height of a box."""
    is_narrow: bool
    """True: there is room for something beside it."""
    boxes: Sequence[Box]
    lines: Sequence[str]
    """Paths from step to step, as SVG writes them."""


def draw(before: Mapping[str, Sequence[str]], status: Mapping[str, str]) -> Graph:
    """Lay steps out; `before` has, for each step in order, the steps that it depends on."""
    levels = _levels(before)
    is_down = len(levels) > MAX_ACROSS
    ahead, aside = (HEIGHT, WIDTH) if is_down else (WIDTH, HEIGHT)
    gap = DOWN if is_down else ACROSS
    widest = max((len(x) for x in levels), default=0)
    boxes = {}
    for nth, level in enumerate(levels):
        start = MARGIN if is_down else MARGIN + (widest - len(level)) * (aside + ASIDE) / 2
        for place, step in enumerate(level):
            along = MARGIN + nth * (ahead + gap), start + place * (aside + ASIDE)
            x, y = reversed(along) if is_down else along
            name = step if len(step) <= LETTERS else f"{step[: LETTERS - 1]}…"
            boxes[step] = Box(step, name, status.get(step, "none"), x, y)
    lines = [
        _line(boxes[earlier], boxes[step], is_down)
        for step, needs in before.items()
        for earlier in needs
        if earlier in boxes
    ]
    length = 2 * MARGIN + len(levels) * (ahead + gap) - gap
    breadth = 2 * MARGIN + widest * (aside + ASIDE) - ASIDE
    size = (breadth, length) if is_down else (length, breadth)
    return Graph(*size, (WIDTH, HEIGHT), size[0] <= NARROW, list(boxes.values()), lines)


def _levels(before: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the steps by level; within one, near the steps that they depend on."""
    level: dict[str, int] = {}
    for step in TopologicalSorter(before).static_order():
        level[step] = 1 + max((level[x] for x in before.get(step, ())), default=-1)
    levels: list[list[str]] = [[] for _ in range(1 + max(level.values(), default=-1))]
    for step in before:
        levels[level[step]].append(step)
    place: dict[str, float] = {}
    for steps in levels:
        steps.sort(key=lambda step: _middle(before[step], place))
        for nth, step in enumerate(steps):
            place[step] = (nth + 0.5) / len(steps)
    return levels


def _middle(needs: Sequence[str], place: Mapping[str, float]) -> float:
    found = [place[x] for x in needs if x in place]
    return sum(found) / len(found) if found else 0.0


def _line(start: Box, end: Box, is_down: bool) -> str:
    if is_down:
        bend = DOWN / 2
        x1, y1 = start.x + WIDTH / 2, start.y + HEIGHT
        x2, y2 = end.x + WIDTH / 2, end.y
        return f"M{x1:g} {y1:g} C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2:g}"
    bend = ACROSS / 2
    x1, y1 = start.x + WIDTH, start.y + HEIGHT / 2
    x2, y2 = end.x, end.y + HEIGHT / 2
    return f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
