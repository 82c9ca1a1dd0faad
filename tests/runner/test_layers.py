"""Modules and sub-packages of `headgate` import only downwards, and heavy libraries late."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.docs import ROOT

HERE = ROOT / "runner" / "headgate"
LAYERS = (
    {"__init__", "charsets", "conninfo", "errors", "escapes", "explained", "lazy", "memory"},
    {"files", "redaction", "secret_files", "sessions", "settings"},
    {"embedded", "shown"},
    {"database"},
    {"handlers", "metrics", "notifications"},
    {"demo", "migrate", "reports", "worker"},
    {"airflow", "web"},  # its stack starts workers, and migrates a database for Airflow
    {"cli"},
    {"__main__"},
)
"""From the bottom up. Modules of one layer do not import each other."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

HEAVY = {
    "airflow",
    "distributed",
    "httpx",
    "jinja2",
    "matplotlib",
    "numpy",
    "obstore",
    "pandas",
    "prometheus_client",
    "pyarrow",
    "selectolax",
    "xlsxwriter",
    "xmltodict",
}
"""Libraries of extras or of tests: the base package and its worker do without them."""

SERIES = {"headgate.handlers.indicators.series"}
"""Whole modules that the surface of a sub-package offers."""


def files() -> dict[str, Path]:
    """Return each module by its dotted name."""
    found = {}
    for path in HERE.rglob("*.py"):
        parts = path.relative_to(HERE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = files()


def imported(path: Path) -> Iterator[str]:
    """Yield our modules that a file imports, including late imports inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (x.name for x in node.names if x.name.split(".")[0] == "headgate")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "headgate":
            for name in (f"{node.module}.{x.name}" for x in node.names):
                yield name if name in MODULES else str(node.module)


def part_of(module: str) -> str:
    """Return the sub-package, or the module of the package itself."""
    return (*module.split("."), "__init__")[1]


def test_every_part_has_a_layer():
    assert {part_of(x) for x in MODULES} == set(LEVEL)


@pytest.mark.parametrize("part", sorted(LEVEL))
def test_a_part_knows_only_what_is_below_it(part):
    wrong = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        if part_of(module) == part
        for other in imported(path)
        if part_of(other) != part and LEVEL[part_of(other)] >= LEVEL[part]
    ]
    assert wrong == []


def test_a_part_is_imported_by_its_surface_alone():
    wrong = [
        f"{module} imports {other}"
        for module, path in MODULES.items()
        for other in imported(path)
        if part_of(other) != part_of(module)
        and other.count(".") > 1
        and MODULES[other].name != "__init__.py"
        and other not in SERIES
    ]
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle():
    graph = {module: set(imported(path)) - {module} for module, path in MODULES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        pytest.fail(f"a circle: {exc.args[1]}")


@pytest.mark.parametrize(
    "module", ["headgate", "headgate.cli.command_line", "headgate.demo", "headgate.worker.worker"]
)
def test_the_base_needs_nothing_of_an_extra(module):
    found = f"import {module}, sys; print(*({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []


def test_help_loads_neither_a_database_driver_nor_an_http_client():
    code = (
        "import sys; sys.argv = ['headgate', '--help']; from headgate.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(*({'psycopg', 'httpx', 'aiohttp'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "Usage:" in done.stdout
    assert done.stderr.split() == []


FLOW = {
    "producer": {"call_executor", "completer", "handler_executor"},
    "handler_executor": {"completer"},
    "call_executor": set(),
    "completer": {"keeper"},
    "keeper": set(),
}
"""A chunk's way through a worker: the parts that each part may know."""


@pytest.mark.parametrize("part", FLOW)
def test_a_part_of_the_worker_knows_only_those_behind_it(part):
    names = {x.rpartition(".")[2] for x in imported(MODULES[f"headgate.worker.{part}"])}

    assert names & set(FLOW) == FLOW[part]


def test_no_part_of_the_worker_is_given_another_one_after_it_was_made():
    """One part only sets counts and flags of another's own class, never a part."""
    parts = {"producer", "executor", "completer", "keeper", "handler_executor", "connections"}
    found = [
        f"{module}: {ast.unparse(node)}"
        for module, path in MODULES.items()
        if module.startswith("headgate.worker.")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and node.attr.lstrip("_") in parts
        and ast.unparse(node.value) != "self"
    ]
    assert found == []


@pytest.mark.parametrize("module", sorted(x for x in MODULES if x.startswith("headgate.worker.")))
def test_each_module_of_the_worker_has_a_test_file_of_its_own(module):
    name = module.rpartition(".")[2]

    assert (ROOT / "tests" / "runner" / "worker" / f"test_{name}.py").exists()
