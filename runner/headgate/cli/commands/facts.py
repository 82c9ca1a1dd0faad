"""What a run waits for, in words, and the whole steps that will not run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from headgate import explained
from headgate.cli.commands import console


def whole_steps(connection: Connection[DictRow], arguments: dict[str, Any]) -> list[DictRow]:
    """Return the pipeline's runs and whole steps that wait or will be skipped."""
    return connection.execute(explained.STEPS, {"at": None, **arguments}).fetchall()


def print_whole_steps(rows: list[DictRow]) -> None:
    """Print the rows of `whole_steps`, if any."""
    if rows:
        print()
        waits = any(row["run_at"] for row in rows)
        columns = ["run_id", "step", "decision", "reason", *(["run_at"] if waits else [])]
        console.print_table(rows, *columns)


def waits(rows: Iterable[DictRow], now: datetime) -> list[str]:
    """Return lines on waiting jobs, one per reason."""
    return [_wait(row, now) for row in rows]


def held(rows: Iterable[DictRow], now: datetime) -> list[str]:
    """Return lines on the leases waited for, one per runner."""
    return [
        f"waiting for {console.counted(row['leases'], 'lease')} of runner"
        f" {row['runner']}, {'gone since' if row['is_silent'] else 'last heard from at'}"
        f" {console.as_clock(row['heard_at'], now)},"
        f" until {console.as_clock(row['leased_until'], now)}"
        for row in rows
    ]


def _wait(row: DictRow, now: datetime) -> str:
    jobs = console.counted(int(row["jobs"]), "job")
    whose = f"{jobs} of {row['operation']}" if row["operation"] else f"step {row['step']}"
    said = [f"{whose}: {row['reason']}"]
    if row["next_try_at"] is not None and row["next_try_at"] > now:
        said.append(f"next try {console.as_clock(row['next_try_at'], now)}")
    if row["gives_up_at"] is not None:
        said.append(f"gives up {console.as_clock(row['gives_up_at'], now)}")
    return ", ".join(said)
