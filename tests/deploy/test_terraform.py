"""What deploy/terraform declares is used, described, and known to PostgreSQL and to deploy/kubernetes.

`make check/terraform` lets Terraform itself validate and test it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
from hcl2.utils import SerializationOptions

from tests.deploy.manifests import NEEDS_KUBECTL, OVERLAYS, built, pods_of
from tests.servers import DB

ROOT = DB.parent
FOLDER = ROOT / "deploy/terraform"
EXAMPLE = FOLDER / "example"
PAGE = ROOT / "docs/terraform.md"
MODULES = sorted(FOLDER.glob("modules/*"))
PLAIN = SerializationOptions(
    explicit_blocks=False, strip_string_quotes=True, with_comments=False, wrap_objects=False
)

Blocks = dict[str, dict[str, Any]]


def parsed(folder: Path, kind: str) -> Blocks:
    """Return a folder's blocks of a kind by their name."""
    found: Blocks = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open() as file:
            for block in hcl2.load(file, serialization_options=PLAIN).get(kind, ()):
                found |= block
    return found


def text_of(folder: Path) -> str:
    """Return a folder's files in one text."""
    return "\n".join(x.read_text() for x in sorted(folder.glob("*.tf")))


CALLS = parsed(EXAMPLE, "module")


@pytest.mark.parametrize("folder", [EXAMPLE, *MODULES], ids=lambda x: x.name)
def test_every_variable_is_used_and_every_variable_and_output_described(folder: Path):
    variables, outputs = parsed(folder, "variable"), parsed(folder, "output")
    used = set(re.findall(r"\bvar\.(\w+)", text_of(folder)))

    assert variables and outputs
    assert used == set(variables)
    assert [x for x, y in (variables | outputs).items() if not y["description"].endswith(".")] == []
    assert [x for x, y in variables.items() if "type" not in y] == []


def test_the_example_gives_each_module_what_it_asks_for_and_uses_all_that_it_gives():
    asked = set(re.findall(r"\bmodule\.(\w+)\.(\w+)", text_of(EXAMPLE)))

    assert {EXAMPLE / x["source"] for x in CALLS.values()} == {
        EXAMPLE / "../modules" / x.name for x in MODULES
    }
    assert asked == {(x.name, y) for x in MODULES for y in parsed(x, "output")}
    for name, call in CALLS.items():
        variables = parsed(FOLDER / "modules" / name, "variable")
        needed = {x for x, y in variables.items() if "default" not in y}
        assert needed <= set(call) - {"source"} <= set(variables), name


def test_every_setting_of_the_database_is_one_of_postgresql_that_needs_no_restart(db: Any):
    text = text_of(FOLDER / "modules/database")
    settings = re.findall(r'^    "([a-z_]+)" += "(\w[\w.]*)"$', text, re.MULTILINE)
    names = [x for x, _ in settings]
    known = {
        x["name"]: x
        for x in db.sql(
            "select name, context from pg_settings where name = any(%(names)s)", names=names
        )
    }

    assert len(names) > 5
    assert [x for x in names if x not in known] == []
    assert [x for x, y in known.items() if y["context"] in ("internal", "postmaster")] == []


@NEEDS_KUBECTL
def test_the_secrets_are_those_that_the_cluster_reads():
    variables = parsed(FOLDER / "modules/secrets", "variable")
    made = {f"{variables['prefix']['default']}/{x}" for x in variables["names"]["default"]}
    read = {
        x["remoteRef"]["key"]
        for folder in (OVERLAYS / "production", ROOT / "deploy/airflow", ROOT / "deploy/keda")
        for found in built(folder)
        if found["kind"] == "ExternalSecret"
        for x in found["spec"]["data"]
    }

    assert made == read


@NEEDS_KUBECTL
def test_the_runner_s_role_belongs_to_the_runners_alone():
    account = parsed(FOLDER / "modules/roles", "variable")["runner"]["default"]["name"]
    pods = pods_of(built(OVERLAYS / "production"))
    using = {x for x, y in pods.items() if y.get("serviceAccountName") == account}

    assert using == {"headgate-runner"}


def test_the_page_names_every_module_and_output():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)

    assert rows == [
        *(x for x in CALLS if (FOLDER / "modules" / x).is_dir()),
        *parsed(EXAMPLE, "output"),
    ]


def test_what_is_not_checked_has_its_reason_beside_it():
    skips = [x for y in [EXAMPLE, *MODULES] for x in re.findall(r"#checkov:skip.*", text_of(y))]

    assert skips
    assert [x for x in skips if not re.fullmatch(r"#checkov:skip=CKV2?_AWS_\d+:\S.{10,}", x)] == []
