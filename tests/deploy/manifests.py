"""Built manifests, and their containers as local processes: with their commands, environments and probes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.limits import PATIENCE, wait_until
from tests.servers import DB

ROOT = DB.parent
OVERLAYS = ROOT / "deploy/kubernetes/overlays"
OF_CHECK = ROOT / ".venv-deploy/bin/kubectl"
KUBECTL = shutil.which("kubectl") or (str(OF_CHECK) if OF_CHECK.exists() else None)
NEEDS_KUBECTL = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed here")
POD = "10.42.0.7:8600"
"""What the Host of a request for a pod is."""
UNSHARE = shutil.which("unshare")
LOCK = """
while [ "$1" != -- ]; do mount --bind "$1" "$1"; shift; done; shift
mount -o remount,bind,ro / && exec "$@"
"""


def _locked(*command: str, writable: Sequence[str] = ()) -> list[str]:
    """Return a command with a root that is read-only but for these folders."""
    return [UNSHARE or "", "-m", "sh", "-c", LOCK, "lock", *writable, "--", *command]


LOCKS = UNSHARE is not None and not subprocess.run(_locked("true"), capture_output=True).returncode
"""Whether a process can have such a root here: only root may make one, and not in every container."""
WORKLOADS = ("CronJob", "Deployment", "Job", "StatefulSet")

SCRATCH = "/tmp"

Object = dict[str, Any]


@cache
def built(overlay: Path) -> list[Object]:
    """Return the objects of an overlay as kustomize builds it."""
    done = subprocess.run([KUBECTL or "", "kustomize", overlay], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pod_of(workload: Object) -> Object:
    """Return the specification of a workload's pods."""
    spec = workload["spec"]
    if workload["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod: Object = spec["template"]["spec"]
    return pod


def pods_of(objects: list[Object]) -> dict[str, Object]:
    """Return the specifications of all pods by their workload's name."""
    return {x["metadata"]["name"]: pod_of(x) for x in objects if x["kind"] in WORKLOADS}


def secrets_read(pod: Object) -> set[tuple[str, str]]:
    """Return the Secrets that a pod needs to start, each with a key; an empty one is all keys."""
    read = set()
    for folder in secret_files(pod).values():
        for name, keys in folder.items():
            read |= {(name, x) for x in keys.values() or ("",)}
    for container in pod["containers"]:
        for source in container.get("envFrom", ()):
            if "secretRef" in source:
                read.add((source["secretRef"]["name"], ""))
        for variable in container.get("env", ()):
            match variable:
                case {"valueFrom": {"secretKeyRef": {"optional": True}}}:
                    pass
                case {"valueFrom": {"secretKeyRef": {"name": name, "key": key}}}:
                    read.add((name, key))
    return read


def secret_files(pod: Object) -> dict[str, dict[str, dict[str, str]]]:
    """Return a pod's folders of Secrets: whose are there, and the key of each file; none: all."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for volume in pod.get("volumes", ()):
        match volume:
            case {"secret": source}:
                sources = [{**source, "name": source["secretName"]}]
            case {"projected": {"sources": parts}}:
                sources = [x["secret"] for x in parts]
            case _:
                continue
        files = {x["name"]: {y["path"]: y["key"] for y in x.get("items", ())} for x in sources}
        for mount in (y for x in pod["containers"] for y in x["volumeMounts"]):
            if mount["name"] == volume["name"]:
                found[mount["mountPath"]] = files
    return found


def writable_folders(pod: Object) -> list[str]:
    """Return where a pod's container may write."""
    empty = {x["name"] for x in pod.get("volumes", ()) if "emptyDir" in x}
    (container,) = pod["containers"]
    return [x["mountPath"] for x in container.get("volumeMounts", ()) if x["name"] in empty]


def is_ours(container: Object) -> bool:
    """Return whether a container is of the image of this repository."""
    return str(container["image"]).partition(":")[0] == "headgate"


def one_of(objects: list[Object], kind: str) -> Object:
    """Return the only object of a kind."""
    (found,) = (x for x in objects if x["kind"] == kind)
    return found


def data_of(objects: list[Object], kind: str, name: str) -> dict[str, str]:
    """Return the data of a ConfigMap or Secret."""
    (found,) = (x for x in objects if (x["kind"], x["metadata"]["name"]) == (kind, name))
    data: dict[str, str] = found["data"]
    return data if kind == "ConfigMap" else {x: b64decode(y).decode() for x, y in data.items()}


def with_secrets(objects: list[Object], password: str) -> list[Object]:
    """Return the objects with the Secrets that External Secrets makes if all that the vault has is a password."""
    return [_made(x, password) if x["kind"] == "ExternalSecret" else x for x in objects]


def secret(name: str, data: Mapping[str, str]) -> Object:
    """Return a Secret."""
    encoded = {x: b64encode(y.encode()).decode() for x, y in data.items()}
    return {"kind": "Secret", "metadata": {"name": name}, "data": encoded}


def _made(found: Object, password: str) -> Object:
    target = found["spec"]["target"]
    named = {x["secretKey"] for x in found["spec"]["data"]}
    plain: dict[str, str] = target.get("template", {}).get("data") or dict.fromkeys(named, password)
    for name in named:
        plain = {x: y.replace(f"{{{{ .{name} }}}}", password) for x, y in plain.items()}
    assert "{{" not in str(plain), f"{target['name']}: not in the vault"
    return secret(target["name"], plain)


@dataclass
class Processes:
    """Containers of built manifests as processes; addresses, ports and folders are replaced by local ones."""

    objects: list[Object]
    replaced: Mapping[str, Mapping[str, str]]
    """What is replaced by what in a workload's environment, arguments and probes."""
    folder: Path
    started: set[str] = field(default_factory=set)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _mounts: dict[str, dict[str, str]] = field(default_factory=dict)

    def start(self, workload: str, number: int = 1) -> subprocess.Popen[bytes]:
        """Start one of a workload's processes."""
        name = f"{workload}-{number}"
        with self._log(name).open("wb") as log:
            process = subprocess.Popen(
                self._command(workload),
                cwd="/",
                env=self.environ(workload),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._running[name] = process
        self.started.add(workload)
        return process

    def run(self, workload: str) -> str:
        """Let a workload's process end well; return what it said."""
        code = self.start(workload).wait(PATIENCE)
        assert code == 0, self.said(workload)
        return self.said(workload)

    def said(self, workload: str, number: int = 1) -> str:
        """Return the output of a process so far."""
        return self._log(f"{workload}-{number}").read_text()

    def container(self, workload: str) -> Object:
        """Return a workload's container."""
        (found,) = pods_of(self.objects)[workload]["containers"]
        return dict(found)

    def environ(self, workload: str) -> dict[str, str]:
        """Return the container's environment, with a PATH to this Python."""
        found = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
        container = self.container(workload)
        for source in container.get("envFrom", ()):
            for reference, wanted in source.items():
                kind = {"configMapRef": "ConfigMap", "secretRef": "Secret"}[reference]
                found |= data_of(self.objects, kind, wanted["name"])
        for variable in container.get("env", ()):
            if (value := self._value(variable)) is not None:
                found[variable["name"]] = value
        local = {name: self._local(workload, value) for name, value in found.items()}
        for folder in self._scratch(workload):
            local["TMPDIR"] = str(folder)
        return local

    def passes(self, workload: str, probe: str) -> bool:
        """Return whether a probe of the container passes."""
        match self.container(workload)[probe]:
            case {"exec": {"command": command}}:
                local = [self._local(workload, x) for x in command]
                return subprocess.run(local, capture_output=True).returncode == 0
            case {"httpGet": {"path": path, "port": port}}:
                try:
                    answer = self.get(workload, path, port)
                except httpx2.TransportError:
                    return False
                return 200 <= answer.status_code < 400
            case {"tcpSocket": {"port": port}}:
                with socket.socket() as client:
                    return client.connect_ex(("127.0.0.1", self.port(workload, port))) == 0
            case other:
                raise AssertionError(f"{workload}: {other}")

    def wait_until(self, workload: str, probe: str, number: int = 1) -> None:
        """Wait until a probe of a running process passes."""
        process = self._running[f"{workload}-{number}"]

        def has_passed() -> bool:
            assert process.poll() is None, self.said(workload)
            return self.passes(workload, probe)

        wait_until(has_passed, f"{workload}: {probe}; {workload}-{number}.log says why")

    def get(self, workload: str, path: str, port: str | int = "http") -> httpx2.Response:
        """Ask a container for a page as the kubelet and Prometheus do: by its pod's address."""
        url = f"http://127.0.0.1:{self.port(workload, port)}{path}"
        return httpx2.get(url, headers={"Host": POD}, timeout=PATIENCE)

    def terminate(self, workload: str, number: int = 1) -> subprocess.Popen[bytes]:
        """Send SIGTERM, as Kubernetes does."""
        process = self._running[f"{workload}-{number}"]
        process.terminate()
        return process

    def kill(self) -> None:
        """End all that still runs."""
        for process in self._running.values():
            process.kill()
            process.wait()

    def _command(self, workload: str) -> list[str]:
        """Return a container's command; only the folders that its pod may write to are writable."""
        command = [self._local(workload, x) for x in self.container(workload)["args"]]
        if not LOCKS:
            return command
        folders = writable_folders(pods_of(self.objects)[workload])
        writable = [self._local(workload, x) for x in folders if x != SCRATCH]
        return _locked(*command, writable=[*writable, *map(str, self._scratch(workload))])

    def _scratch(self, workload: str) -> Iterator[Path]:
        """Yield the folder that stands for the pod's /tmp, if it has one."""
        if SCRATCH in writable_folders(pods_of(self.objects)[workload]):
            folder = self.folder / workload / "scratch"
            folder.mkdir(parents=True, exist_ok=True)
            yield folder

    def _value(self, variable: Object) -> str | None:
        if "value" in variable:
            return str(variable["value"])
        wanted = variable["valueFrom"]["secretKeyRef"]
        data = data_of(self.objects, "Secret", wanted["name"])
        return data.get(wanted["key"]) if wanted.get("optional") else data[wanted["key"]]

    def port(self, workload: str, port: str | int) -> int:
        """Return the local port of one of the container's own."""
        named = {x["name"]: x["containerPort"] for x in self.container(workload)["ports"]}
        return int(self._local(workload, str(named.get(str(port), port))))

    def _local(self, workload: str, text: str) -> str:
        if workload not in self._mounts:
            self._mounts[workload] = dict(self._mounted(workload))
        for old, new in (*self.replaced[workload].items(), *self._mounts[workload].items()):
            text = text.replace(old, new)
        return text

    def _mounted(self, workload: str) -> Iterator[tuple[str, str]]:
        """Write the files of a pod's Secrets; yield each folder's path and the local one."""
        pod = pods_of(self.objects)[workload]
        for path, files in secret_files(pod).items():
            local = self.folder / workload / Path(path).name
            local.mkdir(parents=True)
            for secret, keys in files.items():
                data = data_of(self.objects, "Secret", secret)
                for name, key in (keys or dict(zip(data, data, strict=True))).items():
                    (local / name).write_text(data[key])
            yield path, str(local)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"
