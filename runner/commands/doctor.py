"""`headgate doctor`: is everything there that a run needs? Each line says what to do if not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import typer
from psycopg import Connection
from psycopg.rows import DictRow

from runner.commands import console
from runner.commands.options import AsJson
from runner.database import connect, describe, dsn_of
from runner.errors import HeadgateError, MigrateError
from runner.migrate import require_migrated
from runner.migrate_setup import OLDEST, role_exists
from runner.settings import Settings

NEWEST = 18
ROLES = ("headgate_owner", "headgate_planner", "headgate_runner", "headgate_reader")
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
SOON_DAYS = 30

PGMQ = "select 1 from pg_catalog.pg_namespace as n where n.nspname = 'pgmq'"
SECRETS = """
select distinct r.provider, r.secret_name
from headgate.v_pipelines as p
cross join lateral headgate.required_secrets(p_pipeline => p.pipeline) as r
order by r.provider
"""
CALENDARS = """
select
    a.calendar,
    max(s.closes_at) as ends_at,
    coalesce(max(s.closes_at) < headgate.clock(), true) as is_over,
    coalesce(max(s.closes_at) < headgate.clock() + make_interval(days => %(days)s), true) as is_soon
from (
    select distinct a.calendar
    from headgate.v_assets as a
    where a.is_active and a.calendar is not null
) as a
left join headgate.v_trading_sessions as s using (calendar)
group by a.calendar
order by a.calendar
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    verdict: str
    found: str
    advice: str = ""


def doctor(as_json: AsJson = False) -> None:
    """Check server, migrations, pgmq, roles, secrets and calendars; say what to do."""
    settings = console.ready_settings()
    findings = list(_examine(settings))
    if as_json:
        console.print_json([asdict(x) for x in findings])
    else:
        for x in findings:
            console.OUT.print(f"{x.verdict:4}", style=STYLES[x.verdict], end=" ")
            console.OUT.print(f"{x.check}: {x.found}", markup=False, soft_wrap=True)
            if x.advice:
                console.OUT.print(f"     {x.advice}", markup=False, soft_wrap=True)
    if any(x.verdict == "fail" for x in findings):
        raise typer.Exit(1)


def _examine(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other; without a server, or its tables, the rest is no use."""
    try:
        with connect(settings, "doctor") as connection:
            yield _server(connection, settings)
            yield _pgmq(connection)
            yield from _roles(connection)
            try:
                require_migrated(connection, settings)
            except MigrateError as exc:
                yield Finding("migrations", "fail", str(exc), exc.hint or "")
                return
            yield Finding("migrations", "ok", f"all of {settings.db} is applied")
            yield from _secrets(connection)
            yield from _calendars(connection)
    except HeadgateError as exc:
        yield Finding("server", "fail", str(exc), exc.hint or "")


def _server(connection: Connection[DictRow], settings: Settings) -> Finding:
    version = connection.info.server_version
    found = f"PostgreSQL {version // 10000}.{version % 10000}, {describe(dsn_of(settings))}"
    if version // 10000 < OLDEST:
        return Finding("server", "fail", found, f"Headgate needs PostgreSQL {OLDEST} or newer")
    if version // 10000 > NEWEST:
        return Finding("server", "warn", found, f"Headgate is tested with {OLDEST} to {NEWEST}")
    return Finding("server", "ok", found)


def _pgmq(connection: Connection[DictRow]) -> Finding:
    if connection.execute(PGMQ).fetchone() is None:
        return Finding("pgmq", "fail", "not installed", "run: headgate migrate")
    return Finding("pgmq", "ok", "installed")


def _roles(connection: Connection[DictRow]) -> Iterator[Finding]:
    missing = [x for x in ROLES if not role_exists(connection, x)]
    if missing:
        yield Finding("roles", "fail", f"missing: {', '.join(missing)}", "run: headgate migrate")
    else:
        yield Finding("roles", "ok", ", ".join(ROLES))


def _secrets(connection: Connection[DictRow]) -> Iterator[Finding]:
    for row in connection.execute(SECRETS):
        name, secret = row["provider"], row["secret_name"]
        if os.environ.get(secret):
            yield Finding(f"provider {name}", "ok", f"{secret} is set")
        else:
            yield Finding(
                f"provider {name}", "warn", f"{secret} is not set here", "runners need it set"
            )


def _calendars(connection: Connection[DictRow]) -> Iterator[Finding]:
    for row in connection.execute(CALENDARS, {"days": SOON_DAYS}):
        check, ends_at = f"calendar {row['calendar']}", row["ends_at"]
        found = f"sessions up to {ends_at:%Y-%m-%d}" if ends_at else "no sessions"
        advice = f"load later ones: python -m runner.calendars {row['calendar']} --help"
        verdict = "fail" if row["is_over"] else "warn" if row["is_soon"] else "ok"
        yield Finding(check, verdict, found, "" if verdict == "ok" else advice)
