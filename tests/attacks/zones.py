"""A network namespace of its own, whose way to the database can be cut: packets vanish, and neither end is told."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

NOWHERE = "02:00:00:00:00:01"
"""A hardware address that nobody has."""


def _ip(*arguments: str) -> bool:
    try:
        return subprocess.run(["ip", *arguments], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@dataclass(frozen=True, slots=True)
class Way:
    """A pair of network interfaces: `here` is the address outside of the zone, `there` the one in it."""

    name: str
    net: str

    @property
    def here(self) -> str:
        """Return the address outside."""
        return f"{self.net}.1"

    @property
    def there(self) -> str:
        """Return the address inside."""
        return f"{self.net}.2"


@dataclass(frozen=True, slots=True)
class Zone:
    """A namespace with two ways out of it: one to the database, one to everything else."""

    name: str
    database: Way
    others: Way

    @property
    def entrance(self) -> tuple[str, ...]:
        """Return the command that runs another one inside."""
        return ("ip", "netns", "exec", self.name)

    def open(self) -> bool:
        """Create the namespace and its ways; return whether that is allowed here."""
        inside = ("-n", self.name)
        done = _ip("netns", "add", self.name) and _ip(*inside, "link", "set", "lo", "up")
        for way in (self.database, self.others):
            outer, inner = f"{way.name}o", f"{way.name}i"
            done = (
                done
                and _ip("link", "add", outer, "type", "veth", "peer", inner, "netns", self.name)
                and _ip("address", "add", f"{way.here}/30", "dev", outer)
                and _ip(*inside, "address", "add", f"{way.there}/30", "dev", inner)
                and _ip("link", "set", outer, "up")
                and _ip(*inside, "link", "set", inner, "up")
            )
        return done

    def close(self) -> None:
        """Remove all of it."""
        for way in (self.database, self.others):
            _ip("link", "delete", f"{way.name}o")
        _ip("netns", "delete", self.name)

    def cut(self) -> None:
        """Let every packet to and from the database vanish."""
        lost = ("lladdr", NOWHERE, "nud", "permanent", "dev")
        way = self.database
        assert _ip("neighbor", "replace", way.there, *lost, f"{way.name}o")
        assert _ip("-n", self.name, "neighbor", "replace", way.here, *lost, f"{way.name}i")

    def reconnect(self) -> None:
        """Let packets through again."""
        way = self.database
        assert _ip("neighbor", "delete", way.there, "dev", f"{way.name}o")
        assert _ip("-n", self.name, "neighbor", "delete", way.here, "dev", f"{way.name}i")


@contextmanager
def zone() -> Iterator[Zone]:
    """Create a zone; skip the test where that is not allowed."""
    name, net = f"hg{os.getpid()}", random.randrange(128) * 2
    ways = (Way(f"{name}{x}", f"10.213.{net + n}") for n, x in enumerate("do"))
    made = Zone(name, *ways)
    try:
        if not made.open():
            pytest.skip("no network namespace may be made here (ip netns, as root)")
        yield made
    finally:
        made.close()
