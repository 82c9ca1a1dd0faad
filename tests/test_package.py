"""pyproject.toml describes the package correctly, and the version has one place."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

import headgate as headgate_package
from headgate.settings import shipped
from tests.docs import ROOT
from tests.project import PROJECT, PYPROJECT, pythons


def test_the_version_is_in_one_place():
    place = ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]

    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    assert f'__version__ = "{headgate_package.__version__}"' in place.read_text().splitlines()
    others = [x for x in (ROOT / "runner").rglob("*.py") if x != place]
    assert [x.name for x in others if f'"{headgate_package.__version__}"' in x.read_text()] == []


def test_headgate_prints_its_version_and_asks_no_database(headgate):
    done = headgate("--version", HEADGATE_DSN="host=nowhere.invalid")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"headgate {headgate_package.__version__}\n"


def test_the_changelog_has_the_version_on_top_with_a_date_or_unreleased():
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)

    numbered = [x for x in headings if x != "[Unreleased]"]
    assert all(
        re.fullmatch(r"\[\d+\.\d+\.\d+\] - (\d{4}-\d\d-\d\d|unreleased)", x) for x in numbered
    )
    assert numbered[0].startswith(f"[{headgate_package.__version__}] - ")
    assert f"\n[{headgate_package.__version__}]: {PROJECT['urls']['Homepage']}/" in text


def test_the_changelog_groups_its_entries_as_keep_a_changelog_does():
    groups = re.findall(r"^### (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert set(groups) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_package_says_where_its_pages_are():
    urls = PROJECT["urls"]

    assert set(urls) == {"Homepage", "Documentation", "Repository", "Changelog", "Issues"}
    assert all(x.startswith(urls["Homepage"]) for x in urls.values())
    for name in ("Documentation", "Changelog"):
        _, place = re.split(r"/(?:tree|blob)/main/", urls[name])
        assert (ROOT / place).exists()


def test_the_files_that_the_package_shows_are_there():
    assert (ROOT / PROJECT["readme"]).exists()
    assert all((ROOT / x).exists() for x in PROJECT["license-files"])


def test_the_classifiers_begin_with_the_oldest_python_that_is_required():
    oldest = PROJECT["requires-python"].removeprefix(">=")

    assert pythons()[0] == oldest
    assert [x.split(".")[1] for x in pythons()] == ["11", "12", "13"]
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert PYPROJECT["tool"]["mypy"]["python_version"] == oldest


def test_keywords_and_classifiers_are_in_order():
    assert PROJECT["keywords"] == sorted(PROJECT["keywords"])
    plain = [x for x in PROJECT["classifiers"] if not re.search(r":: 3", x)]
    assert plain == sorted(plain)


def test_the_wheel_carries_the_sql_the_plans_and_the_dags():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]

    assert wheel["packages"] == ["runner/headgate"]
    assert wheel["force-include"] == {"db": "headgate/db", "dags": "headgate/dags"}
    assert shipped("db") == ROOT / "db" and shipped("dags") == ROOT / "dags"
    copied = re.findall(
        r"(?m)^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text().partition("\nFROM base")[0]
    )
    assert {"runner", *wheel["force-include"]} <= set(" ".join(copied).split())


def test_a_wheel_that_is_built_has_them(tmp_path):
    builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling is not installed")
    (path,) = builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])

    names = set(zipfile.ZipFile(path).namelist())
    files = [x for folder in ("db", "dags", "runner") for x in Path(ROOT / folder).rglob("*.*")]
    ours = [x.relative_to(ROOT) for x in files if x.is_file() and "__pycache__" not in x.parts]
    expected = {
        str(x.relative_to("runner") if x.parts[0] == "runner" else "headgate" / x) for x in ours
    }
    assert expected - names == set()
    assert [name for name in names if "__pycache__" in name] == []
