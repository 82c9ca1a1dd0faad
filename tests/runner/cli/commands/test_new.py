"""`headgate new` writes a plan whole or not at all; the plan migrates and runs as it is."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headgate.cli.scaffold import RESERVED
from headgate.database import connect
from headgate.migrate.files import plan_folders
from headgate.settings import Settings
from tests.runner.conftest import Run
from tests.servers import DB, free_port

FILES = [
    "example/items/1.json",
    "example/items/2.json",
    "example/items/3.json",
    "migrations/0001_items.sql",
    "plan.sql",
]


@pytest.fixture
def new(run: Run, tmp_path: Path) -> Any:
    """Write a plan and its DAG into folders of the test."""

    def call(name: str, *arguments: str) -> SimpleNamespace:
        folders = ("--plans", str(tmp_path / "plans"), "--dags", str(tmp_path / "dags"))
        result: SimpleNamespace = run("new", *folders, *arguments, "--", name)
        assert "Traceback" not in result.err
        return result

    return call


def written(folder: Path) -> list[str]:
    """Return the files of a folder, including hidden ones."""
    return sorted(str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file())


@pytest.fixture
def port() -> Iterator[int]:
    """Choose a port for the example."""
    yield free_port()


def test_a_new_plan_migrates_and_runs_at_once_by_the_commands_that_are_named(
    new, port, headgate, core: Settings, tmp_path: Path
):
    made = new("books", "--base-url", f"http://127.0.0.1:{port}", "--json")
    document = json.loads(made.out)
    assert made.code == 0
    assert written(tmp_path / "plans" / "books") == FILES
    assert written(tmp_path / "dags") == ["books.py"]

    environ = {"HEADGATE_PLANS": str(tmp_path / "plans")}
    first, *steps = document["next"]
    assert first.startswith("export HEADGATE_PLANS=") and str(tmp_path / "plans" / "books") in first
    said = {}
    for step in steps:
        words = shlex.split(step.removesuffix(" &"))
        if words[0] == "headgate":
            done = headgate(*words[1:], settings=core, **environ)
            assert done.returncode == 0, f"{step}: {done.stderr}"
            said[words[1]] = done.stdout
        else:
            assert words[:3] == ["python3", "-m", "http.server"]
            server = subprocess.Popen([sys.executable, *words[1:]], stderr=subprocess.PIPE)
    assert server.stderr is not None
    server.terminate()
    server.communicate()

    assert list(said) == ["migrate", "request", "try", "run", "check"]
    assert said["request"].startswith(f"GET http://127.0.0.1:{port}/items/1.json\n")
    assert "books.items: 1 inserted" in said["try"]
    with connect(replace(core, plans=()), "test") as connection:
        rows = connection.execute(
            "select title, price::text from books.items order by 1"
        ).fetchall()
    assert [(x["title"], x["price"]) for x in rows] == [
        ("Item 1", "1.50"), ("Item 2", "2.50"), ("Item 3", "3.50"),
    ]  # fmt: skip
    assert said["check"] == "plan books: 8 unchanged\n"


def test_the_dag_has_the_plans_steps_and_is_named_after_it(new, tmp_path: Path):
    new("books")

    dag = (tmp_path / "dags" / "books.py").read_text()
    plan = (tmp_path / "plans" / "books" / "plan.sql").read_text()
    compile(dag, "books.py", "exec")
    assert re.findall(r'task_id="(\w+)"', dag) == re.findall(r"put_step\('books', '(\w+)'", plan)
    assert "__" not in re.sub(r"__(file|doc)__", "", dag) + plan
    shipped = (DB.parent / "dags" / "equities_account.py").read_text()
    assert dag.splitlines()[2:9] == shipped.splitlines()[2:9]


def test_without_a_folder_of_dags_no_dag_is_written_and_that_is_said(run: Run, tmp_path: Path):
    result = run("new", "books", "--plans", str(tmp_path), HEADGATE_DB=str(DB))

    assert result.code == 0 and "no DAG was written: HEADGATE_DAGS or --dags" in result.err
    assert written(tmp_path) == [f"books/{x}" for x in FILES]


def test_a_plan_elsewhere_leaves_the_shipped_dags_alone(run: Run, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("HEADGATE_DB", raising=False)
    monkeypatch.delenv("AIRFLOW__CORE__DAGS_FOLDER", raising=False)

    result = run("new", "books", "--plans", str(tmp_path))

    assert result.code == 0 and "no DAG was written" in result.err
    assert not (DB.parent / "dags" / "books.py").exists()


def test_a_new_plan_goes_where_plans_are(run: Run, tmp_path: Path):
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "plan.sql").touch()
    plans = f"{tmp_path / 'alone'}:{tmp_path / 'many'}"
    (tmp_path / "many").mkdir()

    result = run("new", "books", HEADGATE_DB=str(DB), HEADGATE_PLANS=plans)

    assert list(plan_folders(DB, [tmp_path / "many"])) == ["books"]
    assert "export" not in result.err


def test_a_service_elsewhere_has_no_example_to_start(new, tmp_path: Path):
    result = new("books", "--base-url", "https://books.example/v1")

    assert "http.server" not in result.err
    assert "'https://books.example/v1'" in (tmp_path / "plans/books/plan.sql").read_text()
    assert "is not the address of a service" in new("more", "--base-url", "books.example").err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Books-2", "hint: did you mean books_2?"),
        ("2books", "hint: did you mean books?"),
        ("", "a plan cannot be named ''"),
        ("../books", "hint: did you mean books?"),
        ("b" * 41, "at most 40 characters, this one 41"),
        ("table", "a reserved word of SQL"),
        ("pgmq", "taken by PostgreSQL or Headgate"),
        ("headgate_x", "taken by PostgreSQL or Headgate"),
        ("pg_x", "taken by PostgreSQL or Headgate"),
        ("equities", "there is a plan equities already, in "),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_way_out(new, name, said, tmp_path: Path):
    result = new(name)

    assert (result.code, result.out) == (1, "")
    assert said in result.err and "\nhint: " in result.err
    assert not (tmp_path / "plans").exists()


@pytest.mark.parametrize("taken", ["plans/books", "dags/books.py"])
def test_existing_files_stay_and_nothing_is_half_written(new, taken, tmp_path: Path):
    (tmp_path / taken).parent.mkdir()
    (tmp_path / taken).mkdir() if taken == "plans/books" else (tmp_path / taken).write_text("mine")
    before = sorted(tmp_path.rglob("*"))

    result = new("books")

    assert result.code == 1 and "is there already: nothing was written" in result.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dag_that_cannot_be_written_leaves_no_plan(run: Run, tmp_path: Path):
    (tmp_path / "file").touch()
    nowhere = ("--dags", str(tmp_path / "file" / "dags"))

    result = run("new", "books", "--plans", str(tmp_path / "plans"), *nowhere)

    assert result.code == 1 and "cannot write" in result.err and "hint: --plans and" in result.err
    assert list((tmp_path / "plans").iterdir()) == []


def test_the_reserved_words_are_postgresqls(core: Settings):
    query = "select word from pg_get_keywords() where catcode in ('R', 'T')"
    with connect(core, "test") as connection:
        assert {x["word"] for x in connection.execute(query)} - RESERVED == set()
