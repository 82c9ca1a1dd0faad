"""A plan's stand-ins at work, and its database told where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.database import connect, mapped_errors
from headgate.demo.services import freshpoc
from headgate.demo.services.running import running
from headgate.demo.services.stand_in import StandIn
from headgate.settings import Settings

ASSETS = """
select a.universe, a.code, a.group_key, a.attributes
from headgate.v_assets as a
where a.universe like %(universes)s
    and a.code = any (%(services)s)
"""
UPSERT = """
select * from headgate.upsert_assets(p_universe => %(universe)s, p_assets => %(assets)s)
"""


@dataclass(frozen=True, slots=True)
class ServiceDemo:
    """A shipped plan, and the services that stand-ins play for it."""

    plan: str
    pipeline: str
    services: Callable[[], tuple[StandIn, ...]]
    late: str
    """The service that is not ready at first, to show what becomes of that."""
    queries: tuple[str, ...]


SERVICE_DEMOS: Final = {
    x.plan: x
    for x in (
        ServiceDemo(
            "freshpoc",
            "FreshPoC_E2E",
            freshpoc.services,
            "miner",
            (
                "select step, service, answer from freshpoc.answers order by answered_at desc",
                "select step, status, started_at, finished_at from headgate.v_execution_steps "
                "where pipeline = 'FreshPoC_E2E' order by started_at desc",
                "select code, attributes ->> 'base_url' as base_url from headgate.v_assets "
                "where universe like 'freshpoc%'",
            ),
        ),
    )
}
LATE_SECONDS: Final = 3.0


@contextmanager
def played(demo: ServiceDemo, settings: Settings) -> Iterator[dict[str, StandIn]]:
    """Start the plan's stand-ins, one of them late, and set their addresses in its rows."""
    services = demo.services()
    for service in services:
        if service.name == demo.late:
            service.start_seconds = LATE_SECONDS
    with running(services) as started:
        with connect(settings, "demo") as connection, mapped_errors():
            locate(connection, demo.plan, {x: y.url for x, y in started.items()})
        yield started


def locate(connection: Connection[DictRow], plan: str, urls: Mapping[str, str]) -> None:
    """Set where a plan's services are, in its rows; those that are not declared are left out."""
    named = {"universes": f"{plan}%", "services": list(urls)}
    for row in connection.execute(ASSETS, named).fetchall():
        attributes = row["attributes"] | {"base_url": urls[row["code"]]}
        asset = {x: row[x] for x in ("code", "group_key")} | {"attributes": attributes}
        connection.execute(UPSERT, {"universe": row["universe"], "assets": Jsonb([asset])})
