"""Configuration of the embedded server: defaults except memory, WAL and listen addresses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MEGABYTE = 1024 * 1024

HBA = """\
# Written by headgate. The socket's file mode keeps other users out.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""


def configuration(socket_dir: str, port: int | None, parameters: Mapping[str, str]) -> str:
    """Return the text of the file that postgresql.conf includes; `parameters` take precedence."""
    values = {
        "listen_addresses": "127.0.0.1" if port else "",
        "port": str(port or 5432),
        "unix_socket_directories": socket_dir,
        "unix_socket_permissions": "0700",
        "shared_buffers": f"{_shared_buffers(_memory())}MB",
        "max_wal_size": "4GB",
        **parameters,
    }
    lines = [f"{name} = '{value}'" for name, value in values.items()]
    return "\n".join(["# Written by headgate at every start.", *lines, ""])


def _shared_buffers(memory: int) -> int:
    """Return an eighth of the memory in megabytes, but at least 128 and at most 1,024."""
    return max(128, min(1024, memory // MEGABYTE // 8))


def _memory() -> int:
    """Return the usable memory in bytes: the machine's, or the container's limit if lower."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return machine
    return min(machine, int(limit)) if limit.isdigit() else machine
