"""The choice of PostgreSQL's client programs for a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.cli import clients
from headgate.cli.clients import any_client, fitting_client
from headgate.errors import ServerError
from headgate.settings import Settings
from tests.servers import has_debian


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Pretend that programs of exactly these versions are installed."""

    def install(*versions: str) -> dict[str, Path]:
        paths = {}
        for version in versions:
            path = tmp_path / version / "pg_dump"
            path.parent.mkdir()
            path.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}'\n")
            path.chmod(0o755)
            paths[version] = path
        monkeypatch.setattr(clients, "_installed", lambda name: iter(paths.values()))
        return paths

    return install


@pytest.mark.parametrize(
    ("server", "chosen"), [(15, "15.18"), (16, "17.2"), (17, "17.2"), (18, "18.4")]
)
def test_the_program_of_the_server_s_own_version_is_taken_or_else_the_next_newer_one(
    install, server, chosen
):
    there = install("18.4", "15.18 (Debian 15.18-0+deb12u1)", "14.1", "17.2")
    (path,) = (x for version, x in there.items() if version.startswith(chosen))

    assert fitting_client("pg_dump", server) == path


def test_without_such_a_program_the_error_says_what_there_is_and_what_to_install(install):
    install("14.1", "15.2")

    with pytest.raises(ServerError) as error:
        fitting_client("pg_dump", 16)

    assert str(error.value) == "there is no pg_dump for a server of PostgreSQL 16; there is: 14, 15"
    assert error.value.hint is not None and "postgresql-client-16" in error.value.hint


def test_a_restoring_program_from_17_on_says_what_servers_before_do_not_know(install):
    install("18.4")

    assert fitting_client("pg_restore", 17)
    with pytest.raises(ServerError, match="no pg_restore for a server of PostgreSQL 15"):
        fitting_client("pg_restore", 15)


def test_a_missing_program_is_reported_clearly(install, tmp_path):
    install()
    settings = Settings(
        dsn="postgresql://db.example/plans", database="plans", home=tmp_path, db=tmp_path
    )

    with pytest.raises(
        ServerError, match=r"cannot open database .plans. at db\.example: psql is not installed"
    ):
        any_client("psql", settings)
    with pytest.raises(ServerError, match="there is: none"):
        fitting_client("pg_dump", 18)


def test_this_machine_s_programs_are_found():
    assert fitting_client("pg_restore", 18).name == "pg_restore"
    if has_debian("15"):
        assert fitting_client("pg_dump", 15) == Path("/usr/lib/postgresql/15/bin/pg_dump")
