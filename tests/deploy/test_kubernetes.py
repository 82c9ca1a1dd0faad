"""What the manifests of deploy/kubernetes name is there, and nothing in them has more rights than it needs."""

from __future__ import annotations

import os
import re
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
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
    pod_of,
    pods_of,
    secret_files,
    secrets_read,
    with_secrets,
)
from tests.deploy.network import Peer, reaches
from tests.servers import DB

pytestmark = NEEDS_KUBECTL
PLANS = sorted(DB.glob("plans/*/plan.sql"))
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
ELSEWHERE = {"EODHD_API_TOKEN", "POSTGRES_PASSWORD", "PGPASSWORD", "STANDIN_DSN"}
ELSEWHERE |= {"username", "password", "connection"}
"""Variables of a provider, of PostgreSQL and of the stand-in; what CloudNativePG and KEDA read."""
ARGO = "argocd.argoproj.io/"
GRACE_SECONDS = 30
"""What Kubernetes gives a pod that asks for nothing else."""
AUTHENTICATION = "TriggerAuthentication"
OURS = {"app.kubernetes.io/part-of": "headgate"}
RUNNER = Peer(OURS | {"app.kubernetes.io/name": "runner"})
INSTANCE = Peer({"cnpg.io/cluster": "headgate-postgres", "cnpg.io/podRole": "instance"})
POOLER = Peer({"cnpg.io/poolerName": "headgate-pooler"})
OPERATOR = Peer(
    {"app.kubernetes.io/name": "cloudnative-pg"}, {"kubernetes.io/metadata.name": "cnpg-system"}
)
BI, PROMETHEUS = (Peer({}, {f"headgate.io/may-{x}": "true"}) for x in ("query", "read"))
STRANGERS = [Peer(), Peer(OURS, {}), Peer({}, OPERATOR.namespace), Peer(OPERATOR.labels, {})]


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


def test_with_argo_cd_the_migration_comes_after_what_it_reads_and_before_what_works(
    objects: list[Object],
):
    later = {
        (x["kind"], x["metadata"]["name"])
        for x in objects
        if x["metadata"].get("annotations", {}).get(f"{ARGO}sync-wave") == "1"
    }
    scaled = {("ScaledObject", "headgate-runner") for x in objects if x["kind"] == "ScaledObject"}

    assert one_of(objects, "Job")["metadata"]["annotations"][f"{ARGO}hook"] == "Sync"
    # An autoscaler without its Deployment is not healthy, and its wave would not end.
    assert later == {("Deployment", f"headgate-{x}") for x in ("runner", "web")} | scaled


def test_every_pipeline_that_is_started_by_cron_is_a_shipped_one(ours: dict[str, Object]):
    started = {x["args"][2] for x in ours.values() if x["args"][:2] == ["headgate", "run"]}
    plans = "".join(map(Path.read_text, PLANS))

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
    objects: list[Object], ours: dict[str, Object], pods: dict[str, Object]
):
    read = {x for name in ours for x in secrets_read(pods[name])}
    made = {}
    for found in with_secrets(objects, "demo"):
        if found["kind"] == "Secret":
            made[found["metadata"]["name"]] = {"", *found["data"]}

    of_the_operator = {(f"{x['metadata']['name']}-ca", "ca.crt") for x in clusters(objects)}
    assert len(read) >= 6
    assert not made or {(x, y) for x, y in read if y not in made.get(x, ())} == of_the_operator


def test_secrets_that_change_are_files_where_the_program_looks_for_them(
    objects: list[Object], ours: dict[str, Object], pods: dict[str, Object]
):
    working = {x: y for x, y in ours.items() if x not in ("headgate-migrate", "headgate-standin")}
    for name, container in working.items():
        variables = {x["name"]: x.get("value") for x in container["env"]}
        folder = variables.pop("HEADGATE_SECRETS")
        assert variables.keys() - {"HEADGATE_LISTEN_DSN"} == {"HEADGATE_DSN"}, name
        files = secret_files(pods[name])[folder]
        assert {"HEADGATE_PASSWORD": "HEADGATE_PASSWORD"} in files.values(), name
        assert [x for x in container["envFrom"] if "secretRef" in x] == [], name
        assert ({} in files.values()) == (name == "headgate-runner"), name
        # The kubelet does not replace a file that is mounted by itself.
        assert [x["mountPath"] for x in container["volumeMounts"] if "subPath" in x] == [], name

    named = set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", "".join(map(Path.read_text, PLANS))))
    for found in with_secrets(objects, "demo"):
        if found["kind"] == "Secret" and "providers" in found["metadata"]["name"]:
            assert found["data"].keys() <= named


def test_no_pod_has_more_rights_than_it_needs(pods: dict[str, Object]):
    for name, pod in pods.items():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name  # a Service is no variable of ours
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


def test_no_drain_takes_all_pods_of_a_deployment(objects: list[Object]):
    ours = {x["metadata"]["name"]: x for x in objects if x["kind"] == "Deployment"}
    ours.pop("headgate-standin", None)
    budgets = [x for x in objects if x["kind"] == "PodDisruptionBudget"]

    assert {x["metadata"]["name"] for x in budgets} == set(ours)
    for found in budgets:
        assert found["spec"]["maxUnavailable"] == 1
        assert found["spec"]["selector"] == ours[found["metadata"]["name"]]["spec"]["selector"]


def test_pods_are_spread_over_zones_that_can_take_them_and_not_with_those_of_the_last_version():
    for overlay, strict in (("small", "ScheduleAnyway"), ("production", "DoNotSchedule")):
        for found in (x for x in built(OVERLAYS / overlay) if x["kind"] == "Deployment"):
            zones, hosts = pod_of(found)["topologySpreadConstraints"]
            is_runner = found["metadata"]["name"] == "headgate-runner"
            assert zones["whenUnsatisfiable"] == (strict if is_runner else "ScheduleAnyway")
            for rule in (zones, hosts):
                assert rule["labelSelector"] == found["spec"]["selector"]
                assert rule["nodeTaintsPolicy"] == "Honor"
                assert rule["matchLabelKeys"] == ["pod-template-hash"]
            assert [x["topologyKey"] for x in (zones, hosts)] == [
                "topology.kubernetes.io/zone", "kubernetes.io/hostname",
            ]  # fmt: skip


def test_a_drained_node_fails_neither_the_migration_nor_a_run(objects: list[Object]):
    jobs = [x["spec"] for x in objects if x["kind"] == "Job"]
    jobs += [x["spec"]["jobTemplate"]["spec"] for x in objects if x["kind"] == "CronJob"]
    drained = {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
    }

    assert jobs
    for job in jobs:
        assert job["podFailurePolicy"]["rules"] == [drained]
        assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_runners_reach_providers_and_nothing_private(objects: list[Object]):
    policies = [x for x in objects if x["kind"] == "NetworkPolicy"]
    (policy,) = (x for x in policies if x["metadata"]["name"] == "headgate-providers")
    allowed = [y for x in policy["spec"]["egress"] for y in x["to"]]

    def reached(address: str) -> bool:
        found = ip_address(address)
        return any(
            found in ip_network(x["ipBlock"]["cidr"])
            and not any(found in ip_network(y) for y in x["ipBlock"].get("except", ()))
            for x in allowed
        )

    inside = "10.0.0.1 100.64.0.1 172.31.0.1 192.168.1.1 169.254.169.254 fd00:ec2::254 fe80::1"
    assert [x for x in inside.split() if reached(x)] == []
    assert reached("93.184.215.14") and reached("2606:4700::1111")
    assert reached("169.254.170.23") and reached("fd00:ec2::23")


def test_pages_answer_for_a_while_after_their_end_is_decided(pods: dict[str, Object]):
    (container,) = pods["headgate-web"]["containers"]
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]

    assert program == "sleep" and 0 < int(seconds) < GRACE_SECONDS / 2


def test_the_autoscaler_asks_for_one_number_as_the_reader(db: Any):
    scaler = one_of(built(OVERLAYS / "production"), "ScaledObject")["spec"]
    (trigger,) = scaler["triggers"]

    db.sql("set local role headgate_reader")
    (row,) = db.sql(trigger["metadata"]["query"])

    assert list(row.values()) == [0]
    assert (scaler["minReplicaCount"], scaler["maxReplicaCount"]) == (2, 20)
    assert scaler["fallback"]["behavior"] == "currentReplicasIfHigher"
    (authentication,) = (x for x in built(OVERLAYS / "production") if x["kind"] == AUTHENTICATION)
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (connection,) = authentication["spec"]["secretTargetRef"]
    secrets = with_secrets(built(OVERLAYS / "cloudnative-pg"), "word")
    address = conninfo_to_dict(data_of(secrets, "Secret", connection["name"])[connection["key"]])
    assert (address["user"], address["password"]) == ("headgate_reader", "word")


def clusters(objects: list[Object]) -> list[Object]:
    """Return the clusters of CloudNativePG."""
    return [x for x in objects if (x["kind"], x["apiVersion"][:10]) == ("Cluster", "postgresql")]


@pytest.fixture
def cloudnative(tmp_path: Path) -> list[Object]:
    """Build production with PostgreSQL of its own, and with cron jobs."""
    up = Path(os.path.relpath(OVERLAYS.parent, tmp_path))
    parts = [f"{up}/components/{x}" for x in ("external-secrets", "cron", "postgres")]
    text = yaml.safe_dump({"resources": [f"{up}/base"], "components": parts})
    (tmp_path / "kustomization.yaml").write_text(text)
    return built(tmp_path)


def test_every_login_verifies_that_the_server_is_the_cluster_s_own(cloudnative: list[Object]):
    (cluster,) = clusters(cloudnative)
    name = cluster["metadata"]["name"]
    names = {f"{name}-rw", f"{name}-rw.headgate"}
    names |= set(cluster["spec"]["certificates"]["serverAltDNSNames"])
    seen = set()
    for found in with_secrets(cloudnative, "word"):
        for variable, dsn in found.get("data", {}).items():
            if found["kind"] == "Secret" and variable.endswith(("DSN", "connection")):
                role = found["metadata"]["name"]
                parts = conninfo_to_dict(data_of([found], "Secret", role)[variable])
                assert parts["sslmode"] == "verify-full" and parts["host"] in names, (role, dsn)
                seen.add((parts["host"], str(parts["sslrootcert"])))

    hosts = {"headgate-postgres-rw", "headgate-postgres-rw.headgate", "headgate-pooler"}
    assert {host for host, _ in seen} == hosts
    (file,) = {Path(file) for _, file in seen}
    for workload, pod in pods_of(cloudnative).items():
        assert secret_files(pod)[str(file.parent)] == {f"{name}-ca": {file.name: "ca.crt"}}, (
            workload
        )


@pytest.mark.parametrize("folder", ["airflow", "keda"])
def test_other_namespaces_have_the_cluster_s_authority_where_their_logins_look_for_it(folder: str):
    (push,) = (x for x in built(OVERLAYS / "cloudnative-pg") if x["kind"] == "PushSecret")
    (given,) = push["spec"]["data"]
    (made,) = (
        x["spec"]
        for x in built(ROOT / "deploy" / folder)
        if x["metadata"]["name"] == "headgate-postgres-ca"
    )
    values = yaml.safe_load((ROOT / "deploy" / folder / "values.yaml").read_text())
    volumes = values if folder == "airflow" else values["volumes"]["keda"]
    prefix = "volume" if folder == "airflow" else "extraVolume"
    (volume,), (mount,) = volumes[f"{prefix}s"], volumes[f"{prefix}Mounts"]

    assert push["spec"]["selector"]["secret"]["name"] == "headgate-postgres-ca"
    assert made["data"] == [
        {
            "secretKey": given["match"]["secretKey"],
            "remoteRef": {
                "key": given["match"]["remoteRef"]["remoteKey"],
                "property": given["match"]["remoteRef"]["property"],
            },
        }
    ]
    assert volume["secret"]["secretName"] == made["target"]["name"]
    assert mount == {"name": volume["name"], "mountPath": "/run/secrets/postgres", "readOnly": True}


def test_who_is_not_named_reaches_neither_postgresql_nor_its_pooler(cloudnative: list[Object]):
    def reach(port: int, *sources: Peer) -> list[tuple[bool, ...]]:
        """Return of each whether it reaches an instance, and whether the pooler."""
        return [
            tuple(reaches(cloudnative, x, y, port) for y in (INSTANCE, POOLER)) for x in sources
        ]

    for peer in (RUNNER, BI):
        assert reach(5432, peer) == [(True, True)]
        assert reach(8000, peer) == reach(9187, peer) == reach(9127, peer) == [(False, False)]
    assert reach(5432, POOLER, INSTANCE, OPERATOR) == [(True, False)] * 3
    assert reach(8000, INSTANCE, OPERATOR) == [(True, False)] * 2
    assert reach(9187, PROMETHEUS) == [(True, False)]
    assert reach(9127, PROMETHEUS) == [(False, True)]
    assert reach(5432, *STRANGERS, PROMETHEUS) == [(False, False)] * 5
    elsewhere = Peer({"app": "another database"})
    assert not reaches(cloudnative, RUNNER, elsewhere, 5432)
