"""Areas of db/functions call downwards only, and a helper that several files call has a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.servers import DB

LAYERS = (
    {"support"},
    {"assets", "quota"},
    {"outbox", "queue"},
    {"load", "plan"},  # a load of rows wakes jobs that wait for them, as a completion does
    {"declare", "executions"},
    {"maintenance"},
    {"runner"},  # what a runner calls
)
"""From the bottom up. Areas of one layer do not call each other."""
LEVEL = {area: level for level, areas in enumerate(LAYERS) for area in areas}

UPWARD: dict[tuple[str, str], str] = {}
"""Calls that go up and cannot be cured by moving a function: (caller, called), and why."""

NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.S)
BEGINS = re.compile(r"(?im)^create or replace (?:function|procedure) (\w+\.\w+)\s*\(")
CALLED = re.compile(r"\b([a-z]\w*\.[a-z_]\w*)\s*\(")


class Call(NamedTuple):
    """One function that names another."""

    caller: str
    called: str


@dataclass(frozen=True)
class Sources:
    """The function files: the place of each function, and its calls."""

    homes: dict[str, Path]
    calls: set[Call]

    def area(self, function: str) -> str:
        """Return the area of the core, or the plan, that the function's file is in."""
        path = self.homes[function]
        return path.parent.name if path.parts[-3] == "functions" else path.parts[-3]


def read(paths: list[Path]) -> Sources:
    """Read function files; names in comments and strings are not calls."""
    bodies = {name: (path, body) for path in paths for name, body in functions_of(path.read_text())}
    return Sources(
        {name: path for name, (path, _) in bodies.items()},
        {
            Call(name, called)
            for name, (_, body) in bodies.items()
            for called in CALLED.findall(body)
            if called in bodies and called != name
        },
    )


def functions_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each function in a file, and the text up to the next function."""
    code = NOT_CODE.sub("", text)
    begins = list(BEGINS.finditer(code))
    for begin, end in zip(begins, [*(x.start() for x in begins[1:]), len(code)], strict=True):
        yield begin[1], code[begin.end() : end]


def core() -> Sources:
    """Return the functions of the core."""
    return read(sorted(DB.glob("functions/*/*.sql")))


def everything() -> Sources:
    """Return the functions of the core and of the plans."""
    return read(sorted([*DB.glob("functions/*/*.sql"), *DB.glob("plans/*/functions/*.sql")]))


def test_the_parser_sees_calls_and_neither_comments_nor_strings():
    text = """
-- headgate.a() is in a comment
create or replace function headgate.b(p_x integer)
returns text language sql as $func$
    select headgate.c(1), 'headgate.d(2)', headgate . e, headgate.f (3);  -- headgate.g()
$func$;
"""
    ((name, body),) = functions_of(text)
    assert (name, CALLED.findall(body)) == ("headgate.b", ["headgate.c", "headgate.f"])


def test_every_area_has_its_layer():
    assert {x.name for x in (DB / "functions").iterdir()} == set(LEVEL)


def test_areas_call_downwards_only():
    found = core()
    upward = {
        (caller, called)
        for caller, called in found.calls
        if found.area(caller) != found.area(called)
        and LEVEL[found.area(caller)] <= LEVEL[found.area(called)]
    }
    assert upward == set(UPWARD)


def test_no_areas_call_each_other_in_a_circle():
    found = core()
    below: dict[str, set[str]] = {area: set() for area in LEVEL}
    for caller, called in found.calls - {Call(*x) for x in UPWARD}:
        below[found.area(caller)] |= {found.area(called)} - {found.area(caller)}
    while ends := {area for area, areas in below.items() if not areas}:
        below = {area: areas - ends for area, areas in below.items() if area not in ends}
    assert below == {}


def test_the_core_calls_no_plan():
    found = everything()
    core_calls = {(a, b) for a, b in found.calls if a.startswith("headgate.")}
    assert {x for x in core_calls if not x[1].startswith("headgate.")} == set()


def test_a_helper_that_other_files_call_has_a_file_of_its_own():
    found = core()
    away = {
        f"{called} in {found.homes[called].name}, called by {found.homes[caller].name}"
        for caller, called in found.calls
        if found.homes[caller] != found.homes[called]
        and called.partition(".")[2] != found.homes[called].stem
    }
    assert away == set()


def test_a_file_is_named_after_a_function_in_it():
    found = core()
    named = {path for name, path in found.homes.items() if name.partition(".")[2] == path.stem}
    assert set(found.homes.values()) - named == set()


def test_every_private_function_is_called():
    found = everything()
    outside = "".join(
        NOT_CODE.sub("", x.read_text())
        for x in [
            *DB.glob("views/*.sql"),
            *DB.glob("plans/*/views/*.sql"),
            *DB.glob("migrations/*.sql"),
        ]
    )
    called = {x.called for x in found.calls} | set(CALLED.findall(outside))
    triggers = {
        x
        for path in found.homes.values()
        for x in re.findall(r"execute function ([\w.]+)\(", path.read_text())
    }
    private = {x for x in found.homes if x.partition(".")[2].startswith("_")}
    assert private - called - triggers == set()


def test_tests_of_a_public_function_are_in_the_folder_of_its_area():
    homes = {x.stem: x.parent.name for x in DB.glob("functions/*/*.sql")}
    elsewhere = {
        f"{path.parent.name}/{path.name}: {homes[name]}"
        for path in DB.parent.glob("tests/db/*/test_*.py")
        if (name := path.stem.removeprefix("test_")) in homes and path.parent.name != homes[name]
    }
    assert elsewhere == set()
