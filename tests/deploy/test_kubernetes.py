"""What the manifests of deploy/kubernetes name is there, and nothing in them has more rights than it needs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from headgate.cli.command_line import app
from headgate.worker.worker import DRAIN_SECONDS
from tests.servers import DB

ROOT = DB.parent
FOLDER = ROOT / "deploy/kubernetes"
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
WORKLOADS = ("CronJob", "Deployment", "Job", "StatefulSet")
ELSEWHERE = {"EODHD_API_TOKEN", "POSTGRES_PASSWORD", "STANDIN_DSN"}
"""Variables of a provider, of PostgreSQL's image and of the stand-in."""

Object = dict[str, Any]


def objects() -> Iterator[tuple[str, Object]]:
    """Yield every object with the name of its file."""
    for path in sorted(FOLDER.rglob("*.yaml")):
        for found in yaml.safe_load_all(path.read_text()):
            yield str(path.relative_to(FOLDER)), found


OBJECTS = list(objects())
PODS = {
    f"{file}:{x['metadata']['name']}": (x["spec"]["jobTemplate"] if x["kind"] == "CronJob" else x)[
        "spec"
    ]["template"]["spec"]
    for file, x in OBJECTS
    if x["kind"] in WORKLOADS
}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
OURS = {name: x for name, x in CONTAINERS.items() if x["image"] == "headgate"}
COMMANDS = {name: x["args"] for name, x in OURS.items() if x["args"][0] == "headgate"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_its_options_exist(name: str):
    result = CliRunner().invoke(app, [*COMMANDS[name][1:], "--help"])

    assert result.exit_code == 0, result.output


def test_every_pipeline_that_is_started_by_cron_is_a_shipped_one():
    started = {x[2] for x in COMMANDS.values() if x[1] == "run"}
    declared = set(
        re.findall(
            r"put_pipeline\(\s*'(\w+)'",
            "".join(x.read_text() for x in DB.glob("plans/*/plan.sql")),
        )
    )

    assert started and started <= declared


def test_every_variable_is_documented():
    named = {x["name"] for c in CONTAINERS.values() for x in c.get("env", ())}
    for _, found in OBJECTS:
        for generator in (*found.get("configMapGenerator", ()), *found.get("secretGenerator", ())):
            named |= {x.partition("=")[0] for x in generator["literals"]}
        if found["kind"] == "ExternalSecret":
            named |= {x["secretKey"] for x in found["spec"]["data"]}

    assert len(named) > 8
    assert [x for x in sorted(named - ELSEWHERE) if f"| `{x}` |" not in CONFIGURATION] == []


def test_every_secret_that_is_read_comes_from_the_vault_and_from_the_demo():
    read = {
        source["secretRef"]["name"]
        for container in OURS.values()
        for source in container.get("envFrom", ())
        if "secretRef" in source
    }
    vault = {x["metadata"]["name"] for _, x in OBJECTS if x["kind"] == "ExternalSecret"}
    demo = {
        x["name"]
        for file, found in OBJECTS
        if "demo" in file
        for x in found.get("secretGenerator", ())
    }

    assert read and read == vault == demo


@pytest.mark.parametrize("name", PODS)
def test_no_pod_has_more_rights_than_it_needs(name: str):
    pod, container = PODS[name], CONTAINERS[name]

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= set(container["resources"])


@pytest.mark.parametrize("age", [None, 3600, 0])
def test_a_runner_is_alive_while_its_loop_turns(age: int | None, tmp_path: Path):
    container = CONTAINERS["base/runner.yaml:headgate-runner"]
    folder = next(
        x.partition("=")[2]
        for _, found in OBJECTS
        for generator in found.get("configMapGenerator", ())
        for x in generator["literals"]
        if x.startswith("HEADGATE_HEALTH=")
    )
    probe = container["livenessProbe"]["exec"]["command"]
    alive = tmp_path / "alive"
    if age is not None:
        alive.touch()
        at = alive.stat().st_mtime - age
        os.utime(alive, (at, at))

    command = [x.replace(folder, str(tmp_path)) for x in probe]
    done = subprocess.run(command, capture_output=True)

    assert command != probe
    assert (done.returncode == 0) == (age == 0)
    assert f"{folder}/ready" in container["readinessProbe"]["exec"]["command"]
    assert folder in {x["mountPath"] for x in container["volumeMounts"]}


def test_a_runner_has_the_time_that_it_takes_to_end_in_good_order():
    assert (
        PODS["base/runner.yaml:headgate-runner"]["terminationGracePeriodSeconds"]
        > 4 * DRAIN_SECONDS
    )


def test_the_autoscaler_asks_for_one_number_as_the_reader(db: Any):
    scaler = next(x for _, x in OBJECTS if x["kind"] == "ScaledObject")["spec"]
    (trigger,) = scaler["triggers"]

    db.sql("set local role headgate_reader")
    (row,) = db.sql(trigger["metadata"]["query"])

    assert list(row.values()) == [0]
    assert (scaler["minReplicaCount"], scaler["maxReplicaCount"]) == (2, 20)
    assert trigger["authenticationRef"]["name"] == "headgate-reader"
