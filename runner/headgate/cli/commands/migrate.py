"""`headgate migrate`: brings the database to the state of db/."""

from __future__ import annotations

import logging
import os
import time
from typing import Annotated, LiteralString

import psycopg
import typer
from psycopg.types.json import Jsonb

from headgate.airflow import SNAPSHOT, write_snapshot
from headgate.cli.commands import console
from headgate.database import connect, from_psycopg
from headgate.errors import HeadgateError, InvalidValue
from headgate.migrate import migrate as apply_files
from headgate.migrate import set_logins
from headgate.settings import Settings

logger = logging.getLogger(__name__)

KEEP_SLOTS: LiteralString = "select slot, done from headgate.keep_slots()"
SET_PROVIDER: LiteralString = (
    "select * from headgate.set_provider(p_provider => %s, p_changes => %s)"
)


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what is pending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    logins: Annotated[
        bool, typer.Option("--logins", help="Also give roles the passwords of HEADGATE_*_PASSWORD.")
    ] = False,
    base_url: Annotated[
        list[str] | None,
        typer.Option(metavar="PROVIDER=URL", help="Also say where a provider is; repeatable."),
    ] = None,
) -> None:
    """Apply new and changed files of db/; create the database if it is missing.

    Also write the parameters and the names of groups for the DAGs' forms, beside the DAGs.
    """
    settings = console.ready_settings()
    addresses = _pairs(base_url or [])
    began = time.monotonic()
    report = apply_files(settings, dry_run=dry_run)
    if not dry_run:
        for role in set_logins(settings, os.environ) if logins else []:
            console.say(f"role {role} has its password")
        for slot, done in keep_slots(settings):
            console.say(f"slot {slot} is {done}")
        for provider, url in addresses.items():
            with connect(settings, "migrate") as connection:
                connection.execute(SET_PROVIDER, (provider, Jsonb({"base_url": url})))
            console.say(f"provider {provider} is at {url}")
        tell_dags(settings)
    if as_json:
        key = "pending" if dry_run else "applied"
        console.print_json({key: report.files, "gone": report.gone})
        return
    if dry_run:
        for path in report.files:
            print(path)
    what = console.counted(len(report.files), "file") if report.files else "nothing"
    seconds = f" in {time.monotonic() - began:.1f} s" if report.files and not dry_run else ""
    verb = "pending" if dry_run else "applied"
    console.say(f"database {settings.database}: {what} {verb}{seconds}")


def keep_slots(settings: Settings) -> list[tuple[str, str]]:
    """Create and drop replication slots as the plans want; return what was done. Log a failure."""
    try:
        with connect(settings, "migrate") as connection:
            rows = connection.execute(KEEP_SLOTS).fetchall()
    except psycopg.Error as exc:  # a transaction that does not end, or too many slots
        logger.warning("slots: %s; the next run creates them", from_psycopg(exc))
        return []
    return [(row["slot"], row["done"]) for row in rows]


def tell_dags(settings: Settings) -> None:
    """Write the parameters for the DAGs' forms if their folder is known; log a failure."""
    if settings.dags is None:
        return
    try:
        with connect(settings, "migrate") as connection:
            write_snapshot(connection, settings.dags / SNAPSHOT)
    except HeadgateError as exc:
        logger.warning("%s: %s", exc, exc.hint)


def _pairs(given: list[str]) -> dict[str, str]:
    for text in given:
        if not all(text.partition("=")):
            raise InvalidValue(
                f"not a provider and its address: {text!r}",
                hint="for example: --base-url provider=https://...",
            )
    return {provider: url for provider, _, url in (x.partition("=") for x in given)}
