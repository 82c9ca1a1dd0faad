"""Writes what is in each image, and how large it is, without a container engine: `make sbom`.

What each stage of the Dockerfile installs is installed into an environment of its own, from the
same constraints. What is found there is written as CycloneDX and compared with them.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOL = str(Path(sys.executable).with_name("cyclonedx-py"))
STAGE = re.compile(r"^FROM base AS (\w+)$(.*?)(?=^FROM|\Z)", re.MULTILINE | re.DOTALL)
INSTALL = re.compile(r"pip install -c /wheels/(\S+) (.+)$", re.MULTILINE)
WHEEL = "$(echo /wheels/*.whl)"
UNPINNED = {"pip", "setuptools"}
"""They come with Python."""


@dataclass(frozen=True)
class Image:
    """A stage of the Dockerfile."""

    name: str
    constraints: str
    packages: tuple[str, ...]

    @property
    def extras(self) -> set[str]:
        """Return the extras of Headgate; none where it is not installed."""
        found = [x for x in self.packages if x.startswith(WHEEL)]
        return {y for x in found for y in x.removeprefix(WHEEL).strip("[]").split(",")}

    def install(self, folder: Path) -> Path:
        """Install it into an environment of its own, and return that."""
        place = folder / self.name
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        install = [str(place / "bin/pip"), "install", "-qq", "--no-compile"]
        constraints = ["-c", str(ROOT / self.constraints)]
        packages = [x.replace(WHEEL, str(ROOT)) for x in self.packages]
        subprocess.run([*install, *constraints, *packages], check=True)
        return place

    def pinned(self) -> dict[str, str]:
        """Return the version of every package that the constraints name."""
        return dict(_pins((ROOT / self.constraints).read_text()))


def images() -> list[Image]:
    """Return the images that the Dockerfile makes."""
    stages = STAGE.findall((ROOT / "Dockerfile").read_text())
    return [
        Image(name, constraints, tuple(shlex.split(packages)))
        for name, text in stages
        for constraints, packages in INSTALL.findall(text)
    ]


def _pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, version = line.partition("==")
            yield _normal(name), version


def _normal(name: str) -> str:
    """Return a package's name as the index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def unpinned(bom: dict[str, Any], pinned: dict[str, str]) -> list[str]:
    """Return the components that the constraints do not name in this version."""
    found = {_normal(x["name"]): x["version"] for x in bom["components"]}
    return [f"{x}=={y}" for x, y in found.items() if x not in UNPINNED and pinned.get(x) != y]


def main(folder: Path) -> int:
    """Write a file for each image, and print its size."""
    folder.mkdir(exist_ok=True)
    wrong = 0
    for image in images():
        place, file = image.install(folder), folder / f"{image.name}.cdx.json"
        write = [TOOL, "environment", "-o", str(file)]
        if image.extras:
            write += ["--pyproject", f"{ROOT}/pyproject.toml"]
        subprocess.run([*write, "--output-reproducible", str(place / "bin/python")], check=True)
        bom = json.loads(file.read_text())
        size = sum(x.stat().st_size for x in place.rglob("*") if x.is_file() and not x.is_symlink())
        print(f"{file}: {len(bom['components'])} components, {size // 1_000_000} MB")
        for name in unpinned(bom, image.pinned()):
            print(f"{image.name}: {name} is not in {image.constraints}", file=sys.stderr)
            wrong += 1
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
