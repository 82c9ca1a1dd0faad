"""Splits a SQL file into its statements, so that errors can name the line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Tokens that may contain a semicolon (comments, quotes, dollar quotes), parentheses, semicolons.
TOKEN = re.compile(
    r"--[^\n]*"
    r"|/\*.*?\*/"
    r"|(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'"
    r"|'(?:[^']|'')*'"
    r'|"[^"]*"'
    r"|(?<![\w$])\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$"
    r"|[();]",
    re.DOTALL,
)
AROUND = 40
"""Characters that an excerpt has before and behind its place."""
BLANK = re.compile(r"(?:\s+|--[^\n]*|/\*.*?\*/)*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and the line of the file on which it begins."""

    line: int
    text: str

    def line_of(self, position: int) -> int:
        """Return the file's line of a character position in the statement, both counted from 1."""
        return self.line + self.text.count("\n", 0, max(0, position - 1))

    def excerpt(self, position: int) -> str:
        """Return the text around a position, from its line alone."""
        at = position - 1
        start = max(self.text.rfind("\n", 0, at) + 1, at - AROUND)
        return self.text[start : at + AROUND].partition("\n")[0].strip()


def statements(sql: str) -> Iterator[Statement]:
    """Yield the statements of a file, without the comments before them."""
    start, depth = 0, 0
    for token in TOKEN.finditer(sql):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if token[0] == ";" and depth <= 0:
            yield from _statement(sql, start, token.end())
            start, depth = token.end(), 0
    yield from _statement(sql, start, len(sql))


def _statement(sql: str, start: int, end: int) -> Iterator[Statement]:
    blank = BLANK.match(sql, start, end)
    first = blank.end() if blank else start
    if sql[first:end].strip(" \n\t;"):
        yield Statement(sql.count("\n", 0, first) + 1, sql[first:end])
