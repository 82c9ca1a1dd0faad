"""The images: what the Dockerfile copies, installs and runs as, and that all of it is pinned."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.sbom import images, unpinned
from tests.deploy.manifests import NEEDS_KUBECTL, OVERLAYS, built, is_ours, pods_of
from tests.servers import DB

ROOT = DB.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def test_python_s_image_has_a_whole_version_and_can_be_given_by_its_digest():
    assert re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, re.MULTILINE) == [
        ("PYTHON", "python:3.12.12-slim-trixie")
    ]
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["${PYTHON}"] * 2 + ["base"] * 3
    assert "PYTHON=python:3.12.12-slim-trixie@sha256:" in DOCKERFILE


@NEEDS_KUBECTL
def test_images_run_as_the_user_that_kubernetes_names():
    (created,) = re.findall(r"useradd --uid (\d+)", DOCKERFILE)
    last = [
        re.findall(r"^USER (\S+)$", x, re.MULTILINE)[-1]
        for x in DOCKERFILE.split("FROM base AS ")[1:]
    ]
    pods = pods_of(built(OVERLAYS / "demo")).values()
    wanted = {x["securityContext"]["runAsUser"] for x in pods if is_ours(x["containers"][0])}

    assert wanted == {int(created)} and created != "0"
    assert last == [created] * len(images())


def test_only_what_the_wheel_needs_reaches_the_builder_and_nothing_is_compiled():
    copied = {
        x for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for x in line.split()
    }
    ran = re.findall(r"^(?:RUN (?!--mount)|    )(\w+)", DOCKERFILE, re.MULTILINE)

    assert {x[1:] for x in IGNORED if x.startswith("!")} == copied
    assert "tests" not in copied and [x for x in copied if not (ROOT / x).exists()] == []
    assert set(ran) == {"pip", "useradd"}


@pytest.mark.parametrize("image", images(), ids=lambda x: x.name)
def test_each_image_is_installed_from_constraints(image):
    installs = re.findall(r"pip install .*", DOCKERFILE)

    assert [x for x in installs if " -c /wheels/constraints" not in x] == []
    assert (ROOT / image.constraints).exists()


def test_everything_that_is_in_the_runners_image_is_pinned():
    (image,) = (x for x in images() if x.name == "headgate")
    found = {x: version(x) for x in installed("headgate", image.extras)}

    assert len(found) > 30 and {"obstore", "psycopg", "pandas", "jinja2"} <= set(found)
    bom = {"components": [{"name": x, "version": y} for x, y in found.items()]}
    assert unpinned(bom, image.pinned()) == []
    assert unpinned({"components": [{"name": "Jinja2", "version": "1"}]}, image.pinned()) == [
        "jinja2==1"
    ]


def installed(name: str, extras: set[str], seen: set[str] | None = None) -> set[str]:
    """Return what a package needs here, and what that needs."""
    seen = set() if seen is None else seen
    for text in requires(name) or ():
        needed = Requirement(text)
        if needed.marker and not any(needed.marker.evaluate({"extra": x}) for x in extras | {""}):
            continue
        if needed.name == name:
            installed(name, needed.extras, seen)
        elif needed.name not in seen:
            seen.add(needed.name)
            installed(needed.name, needed.extras, seen)
    return seen


@pytest.mark.skipif(
    not (ROOT / ".venv-deploy/bin/detect-secrets").exists(),
    reason="make check installs detect-secrets",
)
def test_a_key_that_is_left_in_a_file_is_found_and_a_made_up_password_is_not(tmp_path: Path):
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name in (".venv", ".venv-deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".gitignore").write_text(".*\n")
    script = tmp_path / ".copy-of-ci" / "check-secrets"
    script.parent.mkdir()
    shutil.copy(ROOT / ".ci/check-secrets", script)
    (tmp_path / "made_up.py").write_text("postgresql://me:hunter2@127.0.0.1/headgate\n")

    def look() -> subprocess.CompletedProcess[str]:
        return subprocess.run([script], capture_output=True, text=True)

    assert look().returncode == 0
    in_parts = "AKIA", "IOSFODNN7EXAMPLQ"
    (tmp_path / "left.py").write_text("".join(in_parts))
    done = look()
    assert (done.returncode, done.stderr) == (1, "left.py:1: AWS Access Key\n")
