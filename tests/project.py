"""What pyproject.toml says."""

from __future__ import annotations

import re
import tomllib

from tests.docs import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]


def pythons() -> list[str]:
    """Return the Python versions that the classifiers name."""
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", x)
        for x in PROJECT["classifiers"]
    )
    return [x[1] for x in found if x]
