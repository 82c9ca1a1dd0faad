"""Two database servers on loopback, the second a standby of the first, and runners that know both."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

import psutil
from psycopg.conninfo import make_conninfo

from headgate.database import connect
from headgate.demo.eodhd import Process
from headgate.embedded.server import SUPERUSER, Server
from headgate.settings import Settings
from tests.acceptance.system import System, killed_at_the_end
from tests.attacks.things import lay_out
from tests.limits import wait_until
from tests.plan import Plan
from tests.servers import (
    IN_MEMORY,
    copy_data,
    embedded_server,
    free_port,
    primary_and_standby,
    scratch_folder,
)

PASSWORD = "word"
SPENT = "select coalesce(sum(w.spent), 0)::integer from headgate.quota_windows as w"
IS_APPLIED = """
select count(*) filter (where a.wait_event in ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')) > 0
from pg_stat_activity as a
where a.backend_type = 'startup'
"""
ENDS = """
select d.status, d.reason, count(*)::integer as jobs
from headgate.asset_processing_details as d
group by d.status, d.reason
"""


@dataclass(frozen=True, slots=True)
class Seed:
    """The data of a stopped server, and the db/ that it is in the state of."""

    data: Path
    db: Path


def seed(core_data: Path, db: Path, folder: Path) -> Seed:
    """Add the toy world and passwords to the data of a stopped server; return the copy."""
    with embedded_server(seed=core_data, keep=folder / "data") as settings:
        made = settings.with_database("headgate")
        lay_out(made)
        with connect(made, "test") as connection:
            for role in (SUPERUSER, "headgate_runner"):
                connection.execute(f"alter role {role} password '{PASSWORD}'".encode())
    return Seed(folder / "data", db)


def addresses(
    *servers: Server, host: str = "127.0.0.1", role: str = SUPERUSER, **options: int
) -> str:
    """Return a connection string that names servers in this order."""
    ports = [running.port for x in servers if (running := x.running())]
    return make_conninfo(
        "",
        host=",".join(host for _ in ports),
        port=",".join(map(str, ports)),
        user=role,
        password=PASSWORD,
        dbname="headgate",
        **options,
    )


def turn_off(server: Server) -> None:
    """End all processes of a server at once: its machine has lost its power."""
    running = server.running()
    assert running is not None
    postmaster = psutil.Process(running.pid)
    killed = [postmaster, *postmaster.children(recursive=True)]
    for process in killed:
        process.kill()
    psutil.wait_procs(killed)


@dataclass
class Machines:
    """A system whose database is on two servers."""

    system: System
    primary: Server
    standby: Server

    def worker(self) -> subprocess.Popen[str]:
        """Start a runner that knows both servers."""
        dsn = addresses(self.primary, self.standby, role="headgate_runner")
        return self.system.worker(concurrency=4, HEADGATE_DSN=dsn)

    def alone(self, server: Server) -> Plan:
        """Connect to one of the servers, whatever its part."""
        return Plan(connect(replace(self.system.settings, dsn=addresses(server)), "test"))

    def cut_replication(self) -> None:
        """Let nothing more reach the standby."""
        with (there := self.alone(self.standby)).connection:
            there.sql("alter system set primary_conninfo = ''")
            there.sql("select pg_reload_conf()")
            receiving: LiteralString = "select not exists (select from pg_stat_wal_receiver)"
            wait_until(lambda: there.scalar(receiving), "the end of replication")

    def fail_over(self) -> int:
        """Lose the primary while no unit can be spent; promote the standby; return the units that the loss took along."""
        there = self.alone(self.primary)
        there.sql("begin")
        there.sql("lock table headgate.quota_windows in exclusive mode")
        spent = int(there.scalar(SPENT))
        turn_off(self.primary)
        there.connection.close()
        with (there := self.alone(self.standby)).connection:
            wait_until(lambda: there.scalar(IS_APPLIED), "the standby to apply all that it has")
            known = int(there.scalar(SPENT))  # before runners claim there
            there.sql("select pg_promote()")
            return spent - known


def ended(system: System, status: str = "success") -> int:
    """Return the number of jobs that ended so."""
    return sum(x["jobs"] for x in system.plan.sql(ENDS) if x["status"] == status)


@contextmanager
def machines(
    seeded: Seed, standin: Process, logs: Path, *, is_synchronous: bool
) -> Iterator[Machines]:
    """Run both servers on the data of `seed`."""
    with primary_and_standby(seeded.data, is_synchronous=is_synchronous, on_tcp=True) as servers:
        settings = Settings(dsn=addresses(*servers), database="headgate", home=logs, db=seeded.db)
        with killed_at_the_end(System(settings, standin, logs)) as system:
            yield Machines(system, *servers)


@contextmanager
def machine(
    seeded: Seed, standin: Process, logs: Path, address: str = "127.0.0.1"
) -> Iterator[tuple[System, Server]]:
    """Run one server on the data of `seed`, on loopback and at another address."""
    with scratch_folder(in_memory=True) as home:
        server = Server(home)
        copy_data(seeded.data, server.data)
        listening = {"listen_addresses": f"127.0.0.1,{address}"}
        running = server.start(port=free_port(), parameters=IN_MEMORY | listening)
        try:
            with (server.data / "pg_hba.conf").open("a") as file:
                file.write("host all all samenet scram-sha-256\n")
            os.kill(running.pid, signal.SIGHUP)
            dsn = addresses(server)
            settings = Settings(dsn=dsn, database="headgate", home=logs, db=seeded.db)
            with killed_at_the_end(System(settings, standin, logs)) as system:
                yield system, server
        finally:
            server.stop()
