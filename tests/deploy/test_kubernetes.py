"""What the manifests of deploy/kubernetes name is there, and nothing in them has more rights than it needs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import headgate
from headgate.cli.command_line import app
from headgate.worker.worker import DRAIN_SECONDS
from tests.deploy.manifests import (
    NEEDS_KUBECTL,
    OVERLAYS,
    ROOT,
    Object,
    built,
    data_of,
    is_ours,
    one_of,
    pods_of,
    with_secrets,
)
from tests.servers import DB

pytestmark = NEEDS_KUBECTL
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
ELSEWHERE = {"EODHD_API_TOKEN", "POSTGRES_PASSWORD", "STANDIN_DSN", "username", "password"}
"""Variables of a provider, of PostgreSQL's image and of the stand-in; what CloudNativePG reads."""


@pytest.fixture(scope="module", params=sorted(x.name for x in OVERLAYS.iterdir()))
def objects(request: pytest.FixtureRequest) -> list[Object]:
    """Build an overlay."""
    return built(OVERLAYS / request.param)


@pytest.fixture
def pods(objects: list[Object]) -> dict[str, Object]:
    return pods_of(objects)


@pytest.fixture
def ours(pods: dict[str, Object]) -> dict[str, Object]:
    """Return the containers of our image."""
    return {name: x for name, pod in pods.items() for x in pod["containers"] if is_ours(x)}


def test_every_command_and_its_options_exist_in_this_version(ours: dict[str, Object]):
    commands = [x["args"] for x in ours.values() if x["args"][0] == "headgate"]
    assert len(commands) >= 3
    for command in commands:
        result = CliRunner().invoke(app, [*command[1:], "--help"])
        assert result.exit_code == 0, result.output
    assert {x["image"] for x in ours.values()} == {f"headgate:{headgate.__version__}"}


def test_every_pipeline_that_is_started_by_cron_is_a_shipped_one(ours: dict[str, Object]):
    started = {x["args"][2] for x in ours.values() if x["args"][:2] == ["headgate", "run"]}
    plans = "".join(x.read_text() for x in DB.glob("plans/*/plan.sql"))

    assert started <= set(re.findall(r"put_pipeline\(\s*'(\w+)'", plans))


def test_every_variable_is_documented(objects: list[Object], pods: dict[str, Object]):
    containers = [x for pod in pods.values() for x in pod["containers"]]
    named = {x["name"] for container in containers for x in container.get("env", ())}
    for found in with_secrets(objects, "demo"):
        if found["kind"] in ("ConfigMap", "Secret"):
            named |= found["data"].keys()

    assert len(named) >= 4
    assert [x for x in sorted(named - ELSEWHERE) if f"| `{x}` |" not in CONFIGURATION] == []


def test_every_secret_that_is_read_is_made_or_is_left_to_the_operator(
    objects: list[Object], ours: dict[str, Object]
):
    read = {
        source["secretRef"]["name"]
        for container in ours.values()
        for source in container.get("envFrom", ())
        if "secretRef" in source
    }
    made = {x["metadata"]["name"] for x in objects if x["kind"] in ("ExternalSecret", "Secret")}

    assert read and (read <= made or not made)


def test_no_pod_has_more_rights_than_it_needs(pods: dict[str, Object]):
    for name, pod in pods.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert {"requests", "limits"} <= set(container["resources"]), name
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name


@pytest.mark.parametrize("age", [None, 3600, 0])
def test_a_runner_is_alive_while_its_loop_turns(age: int | None, tmp_path: Path):
    objects = built(OVERLAYS / "production")
    (container,) = pods_of(objects)["headgate-runner"]["containers"]
    settings = next(x["metadata"]["name"] for x in objects if x["kind"] == "ConfigMap")
    folder = data_of(objects, "ConfigMap", settings)["HEADGATE_HEALTH"]
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


def test_a_runner_has_the_time_that_it_takes_to_end_in_good_order(pods: dict[str, Object]):
    assert pods["headgate-runner"]["terminationGracePeriodSeconds"] > 4 * DRAIN_SECONDS


def test_the_autoscaler_asks_for_one_number_as_the_reader(db: Any):
    scaler = one_of(built(OVERLAYS / "production"), "ScaledObject")["spec"]
    (trigger,) = scaler["triggers"]

    db.sql("set local role headgate_reader")
    (row,) = db.sql(trigger["metadata"]["query"])

    assert list(row.values()) == [0]
    assert (scaler["minReplicaCount"], scaler["maxReplicaCount"]) == (2, 20)
    assert trigger["authenticationRef"]["name"] == "headgate-reader"
