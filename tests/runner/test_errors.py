"""Every SQLSTATE of class HG has its exception."""

from __future__ import annotations

import ast
import re

import pytest

from headgate import errors
from headgate.errors import BY_CODE, DatabaseError, HeadgateError, error_for
from tests.servers import DB


def all_errors(kind: type[HeadgateError] = HeadgateError) -> list[type[HeadgateError]]:
    return [y for x in kind.__subclasses__() for y in [x, *all_errors(x)]]


WITHDRAWN = {"HG015", "HG016"}
"""Codes that were never raised; no other error gets them."""


def test_the_codes_are_consecutive():
    codes = sorted({*BY_CODE, *WITHDRAWN})

    assert codes == [f"HG{number:03d}" for number in range(1, len(codes) + 1)]
    assert not WITHDRAWN & set(BY_CODE)


def test_every_code_that_the_sql_raises_is_known():
    text = "\n".join(x.read_text() for x in DB.rglob("*.sql"))
    raised = set(re.findall(r"'(HG\d\d\d)'", text))

    assert raised <= set(BY_CODE)


def test_every_error_that_a_command_raises_says_what_to_do_next():
    known: list[type[HeadgateError]] = [HeadgateError, *all_errors()]
    raising = {x.__name__: x for x in known}
    package = DB.parent / "runner" / "headgate"
    places = [*package.glob("cli/commands/*.py"), *package.glob("migrate/*.py")]
    bare = [
        f"{path.name}:{node.lineno}"
        for path in places
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in raising
        and raising[node.func.id].default_hint is None
        and "hint" not in {x.arg for x in node.keywords}
    ]

    assert bare == []


@pytest.mark.parametrize("error", all_errors(), ids=lambda x: x.__name__)
def test_the_docstring_is_the_default_message(error):
    assert error.__doc__
    assert str(error()) == error.__doc__.partition("\n")[0].rstrip(".")
    assert str(error("something else")) == "something else"


def test_the_tree_in_the_docstring_is_complete():
    drawn = set(
        re.findall(
            r"\b[A-Z]\w+(?:Error|Missing|Failed|Unreachable|Old|Newer|Unsuitable|Edited|Numbering|Migrated|Full)\b",
            errors.__doc__ or "",
        )
    )
    made = {x.__name__ for x in all_errors() if x.code is None}

    assert made <= drawn


def test_an_unknown_code_of_our_class_is_a_plain_error_and_others_are_the_databases():
    assert error_for("HG999") is HeadgateError
    assert error_for("42P01") is DatabaseError
    assert error_for(None) is DatabaseError
