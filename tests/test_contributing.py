"""CONTRIBUTING.md and the glossary name only things that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs import ROOT, blocks

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
SCHEMA = (ROOT / "db" / "schema.sql").read_text()
ANCHORS = ("River", "absurd", "pgai", "graphile-worker", "procrastinate", "httpx")
TERMS = {
    "provider", "operation", "need", "asset", "universe", "group", "pipeline", "step",
    "execution", "job", "round", "chunk", "bundle", "lease", "lease_no", "window", "quota",
    "units", "reserved", "spent", "parked", "deferred", "sweep", "probe", "watermark", "handler",
    "rank", "share", "ingest function", "fencing token", "job result", "disposition", "fault",
    "breaker", "rate limiter", "deferral reason", "auth failures", "retry count", "request count",
    "lease expirations", "max_wait", "bulk call", "batch call", "ledger", "charged", "unit price",
    "Producer", "CallExecutor", "Completer", "ConnectionPool", "HandlerExecutor",
    "ExecutorBackend", "CallLease", "HandlerLease", "UniformReport", "orphan", "repair",
    "explain_asset_day",
}  # fmt: skip
SYNTAX = {
    "p_", "v_", "search_path", "drop view if exists", "feat(db): ...", "fix(cli): ...", "docs: ...",
}  # fmt: skip
"""Words that need no reference: prefixes, keywords, commit types."""


def code(page) -> list[str]:
    """Return the texts between backticks, outside of fenced blocks."""
    return CODE.findall(FENCED.sub("", page.read_text()))


def is_path(text: str) -> bool:
    """Return whether a text names a file or a folder."""
    return "/" in text or re.search(r"\.(md|py|sql|yml|toml)$", text) is not None


def python_names() -> Iterator[str]:
    """Return the functions and classes of the package and its tests."""
    for folder in ("runner", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield node.name


@pytest.fixture(scope="module")
def names() -> set[str]:
    """Return every name that a page may use: of the schema, with and without it, and of Python."""
    kinds = r"CREATE (?:TABLE|VIEW|TYPE|FUNCTION|PROCEDURE) ((?:headgate|equities)\.\w+)"
    objects = set(re.findall(kinds, SCHEMA))
    columns = set(re.findall(r"COMMENT ON COLUMN ((?:headgate|equities)\.\w+\.\w+)", SCHEMA))
    last = {x.rpartition(".")[2] for x in objects | columns}
    constraints = set(re.findall(r"CONSTRAINT (\w+)", SCHEMA))
    values = set(re.findall(r"'(\w+)'", SCHEMA))
    return objects | columns | last | constraints | values | set(python_names())


@pytest.mark.parametrize("page", [CONTRIBUTING, GLOSSARY], ids=lambda x: x.name)
def test_every_file_is_there(page):
    for text in code(page):
        words = text.split()
        for word in words if words[0].startswith(".venv/") else [text]:
            if is_path(word) and not word.startswith((".venv/", "make ", "HEADGATE_")):
                assert list(ROOT.glob(word.replace("NNN_name", "*"))), word


@pytest.mark.parametrize("page", [CONTRIBUTING, GLOSSARY], ids=lambda x: x.name)
def test_every_name_is_one_of_the_schema_or_of_python(page, names):
    for text in code(page):
        if is_path(text) or text.startswith(("make ", "headgate ")) or text in SYNTAX:
            continue
        if text.startswith("HEADGATE_"):
            assert text.partition("=")[0] in (ROOT / "docs" / "configuration.md").read_text()
            continue
        assert text.removesuffix("()") in names, f"{page.name}: {text}"


def test_every_module_that_is_run_is_there():
    for module in re.findall(r"python -m ([\w.]+)", CONTRIBUTING.read_text()):
        assert (ROOT / f"{module.replace('.', '/')}.py").exists()


def test_the_picture_has_every_area_of_the_sql_and_every_file_in_it_is_there():
    (picture,) = blocks(CONTRIBUTING, "mermaid")

    areas = {x.name for x in (ROOT / "db" / "functions").iterdir()}
    assert areas <= set(re.findall(r"\w+", picture.text))
    for path in re.findall(r"[\w/]+\.py|\w+(?:/\w*)+", picture.text):
        assert (ROOT / path).exists() or (ROOT / "db" / path).exists(), path


def test_the_style_has_ten_lines_and_names_its_anchors():
    style = CONTRIBUTING.read_text().partition("## Style")[2].partition("\n## ")[0]

    assert [int(x) for x in re.findall(r"^(\d+)\. ", style, re.MULTILINE)] == list(range(1, 11))
    assert all(f"[{x}]" in style for x in ANCHORS)


def test_the_glossary_has_each_term_once_with_a_sentence_and_a_place():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GLOSSARY.read_text(), re.MULTILINE)
    entries = [row for row in rows if row[0] not in ("term", "---")]
    terms = [term for term, _, _ in entries]

    assert len(terms) == len(set(terms))
    assert set(terms) >= TERMS
    for term, sentence, place in entries:
        assert re.fullmatch(r"[A-Z`].*\.", sentence) and ". " not in sentence, term
        assert CODE.findall(place), term
