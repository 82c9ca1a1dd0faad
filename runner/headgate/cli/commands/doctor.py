"""`headgate doctor`: checks everything that a run needs, and advises what to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated

import psycopg
import typer
from psycopg import Connection
from psycopg.rows import DictRow

from headgate.cli.commands import console
from headgate.cli.commands.migrate import keep_slots
from headgate.cli.commands.options import AsJson
from headgate.conninfo import describe
from headgate.database import PLANNER, connect, dsn_of, from_psycopg
from headgate.errors import HeadgateError, MigrateError
from headgate.migrate import (
    OLDEST,
    OWNER,
    grant_pgmq,
    has_pgmq,
    install_pgmq,
    migrate,
    require_migrated,
    require_new_pgmq,
    role_exists,
)
from headgate.secret_files import secret_of
from headgate.sessions import is_pooled
from headgate.settings import Settings

NEWEST = 18
ROLES = (OWNER, "headgate_planner", "headgate_runner", "headgate_reader")
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "done": "cyan"}
SKEW_SECONDS = 5.0
APPLIED_AGAIN = ("schema", "role ", "rights ", "roles")
"""Subjects of findings that are repaired by applying functions, views and grants again."""

NOW = "select extract(epoch from pg_catalog.clock_timestamp())::float8 as now"
EXAMINE = "select * from headgate.examine()"
REPAIR = "select * from headgate.repair()"
FORGET = "select * from headgate.forget_files()"
SECRETS = "select * from headgate.required_secrets()"

STORES = """
select s.store as name, s.url, s.endpoint, s.region, s.key_id_name, s.secret_name
from headgate.v_stores as s
"""
NOT_ALLOWED = "this role may not examine it"
CONNECT_AS = "connect as headgate_planner or as a superuser"
STORE_ADVICE = "runners may be elsewhere; headgate.set_store changes where it is"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check, with advice."""

    check: str
    verdict: str
    found: str
    advice: str = ""
    is_fixable: bool = False


def doctor(
    as_json: AsJson = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Repair what is safe to repair, then check again.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings, too.")] = False,
) -> None:
    """Check server, schema, queues, ledger and calendars; say how to fix problems."""
    settings = console.ready_settings()
    findings = list(_examine(settings))
    done: list[Finding] = []
    for _ in range(2 if fix else 0):  # without pgmq the first round checks nothing else
        if any(x.is_fixable for x in findings):
            done += _repair(settings, findings)
            findings = list(_examine(settings))
    findings = [*done, *findings]
    if as_json:
        console.print_json([asdict(x) for x in findings])
    else:
        for x in findings:
            console.out().print(f"{x.verdict:4}", style=STYLES[x.verdict], end=" ")
            console.out().print(f"{x.check}: {x.found}", markup=False, soft_wrap=True)
            if x.advice:
                console.out().print(f"     {x.advice}", markup=False, soft_wrap=True)
    bad = ("fail", "warn") if strict else ("fail",)
    if any(x.verdict in bad for x in findings):
        raise typer.Exit(1)


def _examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings in order; without a server or migrated tables, stop early."""
    try:
        with connect(settings, "doctor") as connection:
            yield _server(connection, settings)
            yield _clock(connection)
            yield (pgmq := _pgmq(connection))
            yield _roles(connection)
            try:
                require_migrated(connection, settings)
            except MigrateError as exc:
                yield Finding("migrations", "fail", str(exc), exc.hint or "")
                return
            yield Finding("migrations", "ok", f"all of {settings.db} is applied")
        with connect(settings, "doctor", role=PLANNER) as connection:
            yield from _secrets(connection)
            yield from _stores(connection)
            if pgmq.verdict == "ok":
                yield from _database(connection)
    except HeadgateError as exc:
        yield Finding("server", "fail", str(exc), exc.hint or "")
    except psycopg.errors.InsufficientPrivilege:
        yield Finding("plan", "warn", NOT_ALLOWED, CONNECT_AS)


def _repair(settings: Settings, findings: list[Finding]) -> Iterator[Finding]:
    """Repair in the order of dependencies: pgmq, roles and schema, the rest."""
    wrong = {x.check for x in findings if x.is_fixable}
    with connect(settings, "doctor") as connection:
        if "pgmq" in wrong:
            install_pgmq(connection)
            grant_pgmq(connection)
            yield Finding("pgmq", "done", "installed")
        if any(x.startswith(APPLIED_AGAIN) for x in wrong):
            connection.execute(FORGET)
    applied = migrate(settings).files
    if applied:
        yield Finding("schema", "done", f"{len(applied)} files of {settings.db} applied again")
    with connect(settings, "doctor") as connection:
        for row in connection.execute(REPAIR):
            yield Finding(row["subject"], "done", row["done"])
    for slot, done in keep_slots(settings):
        yield Finding("slots", "done", f"{slot} {done}")


def _database(connection: Connection[DictRow]) -> Iterator[Finding]:
    """Yield what the database reports about itself."""
    try:
        found = connection.execute(EXAMINE).fetchall()
    except psycopg.errors.InsufficientPrivilege:
        raise
    except psycopg.Error as exc:  # objects that headgate.examine needs are missing
        said, advice = str(from_psycopg(exc)), "headgate doctor --fix applies db/ again"
        yield Finding("schema", "fail", f"it cannot be examined: {said}", advice, is_fixable=True)
        return
    for row in found:
        advice, is_fixable = row["advice"], row["is_fixable"]
        yield Finding(row["subject"], row["verdict"], row["found"], advice, is_fixable)
    if not found:
        yield Finding("plan", "ok", "schema, queues, steps, ledger and calendars are in order")


def _server(connection: Connection[DictRow], settings: Settings) -> Finding:
    version = connection.info.server_version
    found = f"PostgreSQL {version // 10000}.{version % 10000}, {describe(dsn_of(settings))}"
    found += ", through a pooler" if is_pooled(connection) else ""
    if version // 10000 < OLDEST:
        return Finding("server", "fail", found, f"Headgate needs PostgreSQL {OLDEST} or newer")
    if version // 10000 > NEWEST:
        return Finding("server", "warn", found, f"Headgate is tested with {OLDEST} to {NEWEST}")
    return Finding("server", "ok", found)


def _clock(connection: Connection[DictRow]) -> Finding:
    """Compare this machine's clock with the server's, allowing for the round trip."""
    looks = [_skew(connection) for _ in range(3)]
    taken, skew = min(looks, key=lambda x: x[0])
    if abs(skew) - taken <= SKEW_SECONDS:
        return Finding("clock", "ok", f"within {max(abs(skew), 0.01):.2f} s of the server's")
    found = (
        f"the server's is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    )
    return Finding("clock", "warn", found, "let both follow a time server (NTP)")


def _skew(connection: Connection[DictRow]) -> tuple[float, float]:
    """Return the round trip and how far the server's clock is ahead, both in seconds."""
    before = time.time()
    row = connection.execute(NOW).fetchone()
    after = time.time()
    assert row is not None
    return after - before, row["now"] - (before + after) / 2


def _pgmq(connection: Connection[DictRow]) -> Finding:
    if not has_pgmq(connection):
        advice = "run: headgate migrate; later: headgate doctor --fix"
        return Finding("pgmq", "fail", "not installed", advice, is_fixable=_is_ours(connection))
    try:
        require_new_pgmq(connection)
    except MigrateError as exc:
        return Finding("pgmq", "fail", str(exc), exc.hint or "")
    return Finding("pgmq", "ok", "installed")


def _roles(connection: Connection[DictRow]) -> Finding:
    missing = [x for x in ROLES if not role_exists(connection, x)]
    if missing:
        found, is_ours = f"missing: {', '.join(missing)}", _is_ours(connection)
        return Finding("roles", "fail", found, "run: headgate doctor --fix", is_fixable=is_ours)
    return Finding("roles", "ok", ", ".join(ROLES))


def _is_ours(connection: Connection[DictRow]) -> bool:
    """Return whether the database was migrated before, so that a repair is possible."""
    found = "select 1 where to_regprocedure('headgate.forget_files()') is not null"
    return connection.execute(found).fetchone() is not None


def _secrets(connection: Connection[DictRow]) -> Iterator[Finding]:
    for row in connection.execute(SECRETS):
        secret = row["secret_name"]
        if secret_of(secret):
            yield Finding(row["needed_by"], "ok", f"{secret} is set")
        else:
            found, advice = f"{secret} is not set here", "runners need it set"
            yield Finding(row["needed_by"], "warn", found, advice)


def _stores(connection: Connection[DictRow]) -> Iterator[Finding]:
    """Yield whether each store is reachable for a runner on this machine."""
    rows = connection.execute(STORES).fetchall()
    if rows and find_spec("obstore") is None:
        yield Finding("stores", "warn", "obstore is not installed", "install headgate[files]")
        return
    for row in rows:
        from headgate.worker import Store, look_into  # imported late: it loads obstore

        store = Store.from_row(row)
        assert store is not None
        try:
            asyncio.run(look_into(store))
        except HeadgateError as exc:
            yield Finding(f"store {store.name}", "warn", str(exc), exc.hint or STORE_ADVICE)
        else:
            yield Finding(f"store {store.name}", "ok", f"{store.url} answers")
