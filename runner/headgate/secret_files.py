"""Secrets by name: a file in the folder HEADGATE_SECRETS, else an environment variable.

A file is read whenever its secret is needed, so a running process takes a new secret without a
restart.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headgate.errors import SecretMissing

FOLDER: Final = "HEADGATE_SECRETS"


def secret_of(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret of that name without white space around it; empty if there is none."""
    folder = environ.get(FOLDER)
    return (folder and _content(Path(folder, name))) or environ.get(name, "").strip()


def require_secret(name: str, what: str = "the secret", more: str = "") -> str:
    """Return the secret of that name. Raises SecretMissing: what it is, and `more` advice."""
    if not (secret := secret_of(name)):
        raise SecretMissing(f"{what} {name} is not set", hint=f"{advice(name)}{more}")
    return secret


def advice(name: str) -> str:
    """Return how to give a runner the secret of that name."""
    if folder := os.environ.get(FOLDER):
        return f"write it to {Path(folder, name)}, which the runner has to be able to read"
    return f"set {name} in the runner's environment"


def _content(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):  # no such file, or one that is no text
        return ""
