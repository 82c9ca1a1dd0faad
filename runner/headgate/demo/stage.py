"""Set-up of a demo: a stand-in for the provider, and a database of its own.

The stand-in's ledger is kept in HEADGATE_HOME, so that a second run on the same day finds the quota
partly used, as with the real provider.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg.types.json import Jsonb

from headgate.database import connect, dsn_of, mapped_errors
from headgate.demo.eodhd import Options, Process, spawn
from headgate.errors import HeadgateError, InvalidValue
from headgate.settings import Settings

DATABASE: Final = "headgate_demo"
QUOTA: Final = 5_000
RATE: Final = 12_000
"""Requests per minute: twelve times the real limit, to keep the demo short."""

SET_PROVIDER = """
select * from headgate.set_provider(p_provider => %(provider)s, p_changes => %(changes)s)
"""
UNITS = """
select e.run_id, e.units
from headgate.v_recent_executions as e
where e.pipeline = %(pipeline)s
order by e.started_at desc
limit 10
"""


@dataclass(frozen=True, slots=True)
class Demo:
    """A shipped plan, and the provider that a stand-in replaces."""

    plan: str
    pipeline: str
    provider: str
    token: str
    """Environment variable of the provider's token."""


DEMOS: Final = {
    x.plan: x for x in (Demo("equities", "data_collection_equities", "eodhd", "EODHD_API_TOKEN"),)
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A running stand-in, and the database that is set up to call it."""

    demo: Demo
    settings: Settings
    standin: Process
    quota: int

    def served_units(self) -> int:
        """Return the units that the stand-in has charged."""
        return int(self.standin.ledger()["served_units"])

    def booked_units(self) -> dict[str, int]:
        """Return the units of each of the latest runs by our ledger, by run id."""
        with connect(self.settings, "demo") as connection, mapped_errors():
            rows = connection.execute(UNITS, {"pipeline": self.demo.pipeline})
            return {row["run_id"]: row["units"] for row in rows}


def find_demo(plan: str, others: Iterable[str] = ()) -> Demo:
    """Return the demo of a plan. Raises InvalidValue; its hint names `others` as well."""
    if plan not in DEMOS:
        known = ", ".join(sorted({*DEMOS, *others}))
        raise InvalidValue(
            f"the plan {plan!r} has no demonstration",
            hint=f"one of: {known}; headgate run runs the plans of your own",
        )
    return DEMOS[plan]


@contextmanager
def staged(demo: Demo, settings: Settings, *, quota: int = QUOTA) -> Iterator[Stage]:
    """Start a stand-in, and set its address and limits for the provider in a migrated database."""
    ledger = settings.home / "standin.json"
    options = Options(quota=quota, rate=RATE, dsn=dsn_of(settings), ledger=ledger)
    with _alone(settings), spawn(options) as standin:
        changes = {
            "base_url": standin.api,
            "quota": quota,
            "buffer": 0,
            "requests_per_minute": RATE,
        }
        with connect(settings, "demo") as connection, mapped_errors():
            named = {"provider": demo.provider, "changes": Jsonb(changes)}
            connection.execute(SET_PROVIDER, named)
        yield Stage(demo, settings, standin, quota)


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Hold the lock that admits one demo at a time; a crash frees it. Raises HeadgateError."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise HeadgateError(
                "another demonstration is under way",
                hint="wait until it has ended, or stop it: headgate demo, headgate airflow demo",
            ) from exc
        yield
