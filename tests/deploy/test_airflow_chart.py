"""The values for Airflow's chart name keys, secrets and versions that are there, and hold no secret.

The chart and its schema are in no package registry, so KEYS are those of its reference for version 1.22.0, by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

import headgate
from tests.deploy.manifests import NEEDS_KUBECTL, ROOT, built, data_of, one_of, with_secrets

FOLDER = ROOT / "deploy/airflow"
VALUES = ("values.yaml", "kubernetes-executor.yaml", "celery-executor.yaml")
FREE = {
    *("config", "env", "secret", "volumes", "volumeMounts"),
    *(f"apiServer.extra{x}" for x in ("InitContainers", "Volumes", "VolumeMounts")),
    *("securityContexts.pod", "securityContexts.containers"),
    *("workers.celery.resources", "workers.kubernetes.resources"),
}
"""Keys whose values are Airflow's or Kubernetes' own."""
KEYS = {
    *("executor", "airflowVersion", "airflowHome", "uid", "gid"),
    *("defaultAirflowRepository", "defaultAirflowTag"),
    *("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"),
    *("data.metadataSecretName", "data.brokerUrlSecretName"),
    *("postgresql.enabled", "pgbouncer.enabled", "statsd.enabled", "flower.enabled"),
    *("redis.enabled", "redis.passwordSecretName"),
    *("dags.persistence.enabled", "logs.persistence.enabled"),
    *(f"dags.gitSync.{x}" for x in ("enabled", "repo", "branch", "ref", "subPath", "depth")),
    *("dags.gitSync.period", "dags.gitSync.credentialsSecret"),
    *("apiServer.replicas", "scheduler.replicas", "dagProcessor.replicas", "triggerer.replicas"),
    *("triggerer.persistence.enabled", "workers.celery.persistence.enabled"),
    "createUserJob.defaultUser.enabled",
    *(f"workers.celery.keda.{x}" for x in ("enabled", "minReplicaCount", "maxReplicaCount")),
    *("workers.celery.keda.pollingInterval", "workers.celery.keda.cooldownPeriod"),
}
OF_THE_CHART = {
    "metadataSecretName": {"connection"},
    "brokerUrlSecretName": {"connection"},
    "passwordSecretName": {"password"},
    "fernetKeySecretName": {"fernet-key"},
    "apiSecretKeySecretName": {"api-secret-key"},
    "jwtSecretName": {"jwt-secret"},
    "credentialsSecret": {
        *("GIT_SYNC_USERNAME", "GIT_SYNC_PASSWORD", "GITSYNC_USERNAME", "GITSYNC_PASSWORD")
    },
}
"""What the chart reads of the secrets that these keys name."""


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


def paths(found: Any, *above: str) -> Iterator[tuple[str, Any]]:
    """Yield each key that the chart itself reads, with its value."""
    if isinstance(found, dict) and ".".join(above) not in FREE:
        for name, value in found.items():
            yield from paths(value, *above, name)
    else:
        yield ".".join(above), found


def references(found: Any) -> Iterator[tuple[str, str]]:
    """Yield each secret that is named, with a key that is read from it."""
    match found:
        case {"secretName": name, "secretKey": key} | {"secretKeyRef": {"name": name, "key": key}}:
            yield name, key
        case dict():
            for word, value in found.items():
                for key in OF_THE_CHART.get(word, ()):
                    yield value, key
                yield from references(value)
        case list():
            for value in found:
                yield from references(value)


@pytest.mark.parametrize("name", VALUES)
def test_every_key_is_one_of_the_chart_s(name: str):
    named = {path for path, _ in paths(values(name))}

    assert named - KEYS - FREE == set()


@NEEDS_KUBECTL
def test_every_secret_that_is_named_comes_from_the_vault_with_the_keys_that_are_read():
    made = {}
    for found in built(FOLDER):
        if found["kind"] == "ExternalSecret":
            target, given = found["spec"]["target"], found["spec"]["data"]
            plain = target.get("template", {}).get("data") or {x["secretKey"] for x in given}
            made[target["name"]] = set(plain)
    read: dict[str, set[str]] = {}
    for name in VALUES:
        for secret, key in references(values(name)):
            read.setdefault(secret, set()).add(key)

    read["headgate-postgres-ca"] = {"ca.crt"}  # a volume
    assert read == made


@NEEDS_KUBECTL
def test_every_login_verifies_that_postgresql_is_the_cluster_s_own():
    secrets = with_secrets(built(FOLDER), "word")
    stored = data_of(secrets, "Secret", "airflow-metadata")
    addresses = [conninfo_to_dict(x.replace("+psycopg_async", "")) for x in stored.values()]
    headgate = json.loads(
        data_of(secrets, "Secret", "airflow-connections")["AIRFLOW_CONN_HEADGATE"]
    )
    (mount,) = values("values.yaml")["volumeMounts"]
    file = f"{mount['mountPath']}/ca.crt"

    for given in (*addresses, headgate["extra"]):
        assert (given["sslmode"], given["sslrootcert"]) == ("verify-full", file)
    for container in values("values.yaml")["apiServer"]["extraInitContainers"]:
        assert mount in container["volumeMounts"]


def test_no_secret_is_written_down():
    for name in VALUES:
        for path, value in paths(values(name)):
            last = path.rpartition(".")[2]
            if last not in OF_THE_CHART and path not in FREE:
                assert not re.search(r"(?i)(password|secret|key|url|pass)$", last), (path, value)
        for variable in values(name).get("env", ()):
            assert not re.search("(?i)password|secret|token|conn", variable["name"])


def test_the_image_and_the_chart_s_airflow_are_of_this_version():
    given = values("values.yaml")
    pinned = re.search(
        r"^apache-airflow==(.+)$", (ROOT / "constraints-airflow.txt").read_text(), re.MULTILINE
    )
    image = f"{given['defaultAirflowRepository']}:{given['defaultAirflowTag']}"

    assert image == f"headgate-airflow:{headgate.__version__}"
    assert {x["image"] for x in given["apiServer"]["extraInitContainers"]} == {image}
    assert pinned and given["airflowVersion"] == pinned[1]


def test_tasks_are_in_the_pool_that_is_made():
    given = values("values.yaml")
    (pool,) = (x["value"] for x in given["env"] if x["name"] == "HEADGATE_POOL")
    (made,) = (
        x["args"][3]
        for x in given["apiServer"]["extraInitContainers"]
        if x["args"][:3] == ["airflow", "pools", "set"]
    )

    assert pool == made


@NEEDS_KUBECTL
def test_metrics_have_the_job_that_the_alerts_know():
    (endpoint,) = one_of(built(FOLDER), "ServiceMonitor")["spec"]["endpoints"]
    (relabeling,) = endpoint["relabelings"]
    rules = (ROOT / "deploy/prometheus/rules/airflow.yml").read_text()

    assert relabeling["targetLabel"] == "job"
    assert f'up{{job="{relabeling["replacement"]}"}}' in rules
