"""Runs a plan's stand-ins and sets their addresses in the plan's database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from headgate.database import connect, mapped_errors
from headgate.demo import recommender
from headgate.demo.services import freshpoc, noblestride, onpoint, viral
from headgate.demo.services.running import running
from headgate.demo.services.stand_in import StandIn
from headgate.settings import Settings

ASSETS = """
select a.universe, a.code, a.group_key, a.attributes
from headgate.v_assets as a
where a.universe like %(universes)s
    and a.code = any (%(services)s)
"""
PROVIDERS = """
select p.provider
from headgate.v_provider_health as p
where p.provider = any (%(services)s)
"""
SET_PROVIDER = """
select * from headgate.set_provider(p_provider => %(provider)s, p_changes => %(changes)s)
"""
SET_STORE = """
select headgate.set_store(p_store => %(store)s, p_url => %(url)s)
"""
UPSERT = """
select * from headgate.upsert_assets(p_universe => %(universe)s, p_assets => %(assets)s)
"""


@dataclass(frozen=True, slots=True)
class ServiceDemo:
    """A shipped plan, and the services that stand-ins replace."""

    plan: str
    pipelines: tuple[str, ...]
    services: Callable[[], tuple[StandIn, ...]]
    queries: tuple[str, ...]
    late: str | None = None
    """Service that starts late, to show how a run waits for it."""
    source: Callable[[Settings], AbstractContextManager[str]] | None = None
    """Context manager that creates the database that the plan reads, and yields its name."""
    stores: tuple[str, ...] = ()
    """Stores of the plan, which become folders below HEADGATE_HOME/demo."""
    has_channels: bool = False
    """Whether the plan has the channels `<plan>_slack` and `<plan>_mail`, which are played, too."""
    pace: int | None = None
    """Requests a minute that the stand-ins accept; None: the plan's own pace."""

    def folders(self, settings: Settings) -> dict[str, Path]:
        """Return the folder of each store."""
        return {x: settings.home.resolve() / "demo" / x for x in self.stores}


SERVICE_DEMOS: Final = {
    x.plan: x
    for x in (
        ServiceDemo(
            "freshpoc",
            ("FreshPoC_E2E",),
            freshpoc.services,
            (
                "select step, service, answer from freshpoc.answers order by answered_at desc",
                "select step, status, started_at, finished_at from headgate.v_execution_steps "
                "where pipeline = 'FreshPoC_E2E' order by started_at desc",
                "select code, attributes ->> 'base_url' as base_url from headgate.v_assets "
                "where universe like 'freshpoc%'",
            ),
            late="miner",
        ),
        ServiceDemo(
            "recommender",
            ("noblestride_integration_pipeline", "recommender_training_pipeline"),
            noblestride.services,
            (
                "select investor, company, rank, round(score::numeric, 3) as score "
                "from recommender.v_recommendations order by investor, rank limit 5",
                "select model_version, training_samples, round(ndcg_at_10::numeric, 3) as ndcg, "
                "round(popularity_ndcg_at_10::numeric, 3) as popularity, decision "
                "from recommender.models order by trained_at desc limit 3",
                "select a.code as source_table, c.rows from recommender.table_counts as c "
                "join headgate.v_assets as a using (asset_id) order by c.rows desc",
            ),
            source=recommender.source_database,
            has_channels=True,
        ),
        ServiceDemo(
            "onpoint",
            ("onpoint_data_pipeline", "onpoint_changes", "pipeline_monitoring"),
            onpoint.services,
            (
                "select asset as data_set, count(*) as files, sum(bytes) as bytes "
                "from headgate.v_artifacts where operation = 'onpoint_upload' "
                "group by 1 order by 1",
                "select name, rows, bytes from headgate.v_artifacts "
                "where operation = 'onpoint_upload' order by artifact_id desc limit 3",
                "select name, rows from headgate.v_artifacts "
                "where name like 'changes/%' order by name",
                "select user_id, posts, comments from onpoint.user_activity "
                "order by comments desc, user_id limit 3",
                "select channel, status, subject from headgate.v_notices "
                "where channel like 'onpoint%' order by channel",
                "select overall_status, failed_checks from onpoint.health_checks "
                "order by checked_at desc limit 1",
            ),
            stores=("onpoint_files", "onpoint_lake"),
            has_channels=True,
            pace=6000,
        ),
        ServiceDemo(
            "viral",
            ("viral_learning_flywheel", "viral_learning_maintenance"),
            viral.services,
            (
                "select service, status, response_time_ms, overall_status "
                "from viral.v_service_health order by checked_at desc, service limit 5",
                "select rank, variant_id, hook, successes, failures, "
                "round(draw::numeric, 3) as draw, is_explored from viral.v_choices "
                "where rank <= 5 order by decided_at desc, rank limit 5",
                "select name, round(value::numeric, 4) as value, target, is_on_target "
                "from viral.v_executive",
                "select report ->> 'success' as success, length(html) as page, "
                "report -> 'recommendations' as recommendations "
                "from viral.reports order by written_at desc limit 1",
            ),
            stores=("viral_archive",),
        ),
    )
}
LATE_SECONDS: Final = 3.0


@contextmanager
def played(demo: ServiceDemo, settings: Settings) -> Iterator[dict[str, StandIn]]:
    """Start the plan's stand-ins, the `late` one later, and set their addresses in the database.

    A service is an asset of the plan or a provider.
    """
    services = demo.services()
    for service in services:
        if service.name == demo.late:
            service.start_seconds = LATE_SECONDS
    with running(services) as started:
        with connect(settings, "demo") as connection, mapped_errors():
            locate(connection, demo.plan, {x: y.url for x, y in started.items()}, demo.pace)
            for store, folder in demo.folders(settings).items():
                connection.execute(SET_STORE, {"store": store, "url": folder.as_uri()})
        yield started


def locate(
    connection: Connection[DictRow], plan: str, urls: Mapping[str, str], pace: int | None = None
) -> None:
    """Set the addresses of a plan's services in its assets and providers; skip undeclared ones.

    A provider is named like its service, or like the plan and its service: onpoint_website.
    """
    named = {"universes": f"{plan}%", "services": list(urls)}
    for row in connection.execute(ASSETS, named).fetchall():
        attributes = row["attributes"] | {"base_url": urls[row["code"]]}
        asset = {x: row[x] for x in ("code", "group_key")} | {"attributes": attributes}
        connection.execute(UPSERT, {"universe": row["universe"], "assets": Jsonb([asset])})
    providers = {**urls, **{f"{plan}_{x}": y for x, y in urls.items()}}
    for row in connection.execute(PROVIDERS, {"services": list(providers)}).fetchall():
        changes: dict[str, str | int] = {"base_url": providers[row["provider"]]}
        if pace is not None:
            changes["requests_per_minute"] = pace
        connection.execute(SET_PROVIDER, row | {"changes": Jsonb(changes)})
