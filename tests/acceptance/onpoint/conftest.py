"""Set-up of OnPoint: stand-ins for the crawled services on local ports, and a worker in this process."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import pytest

from headgate.database import connect
from headgate.demo.services import StandIn, onpoint, running
from headgate.demo.services.hackernews import FIRST
from headgate.settings import Settings
from tests.buckets import KEY_ID, SECRET, S3Server
from tests.carried import carried, go_on
from tests.clock import NOW
from tests.conftest import Clones
from tests.plan import Plan, Row

DATA, MONITORING = "onpoint_data_pipeline", "pipeline_monitoring"
STANDS_STILL = f"""
    create function onpoint.stand_still() returns trigger language plpgsql as
    $$ begin new.crawled_at := '{NOW}'; return new; end $$;
    create trigger stand_still before insert on onpoint.raw_documents for each row execute function onpoint.stand_still();
    create trigger stand_still before insert on onpoint.raw_stories for each row execute function onpoint.stand_still();
"""
LEFT: dict[str, LiteralString] = {
    "artifacts": "select store, name, key, sha256, bytes, rows, media_type, deleted_at is null from headgate.artifacts"
    " order by 1, 2, 4",
    "pages": "select path, depth, title, content_hash, links from onpoint.pages order by 1",
    "raw_documents": "select * from onpoint.raw_documents order by name",
    "raw_stories": "select * from onpoint.raw_stories order by story_id",
    "user_activity": "select * from onpoint.user_activity order by user_id",
    "notices": "select channel, subject from headgate.v_notices where channel like 'onpoint%' order by 1",
    **{
        x: f"select * from onpoint.{x} order by id"
        for x in ("posts", "users", "comments", "stories")
    },
    **{
        f"stage of {x}": f"select count(*) from headgate_stage.onpoint_load_{x}"
        for x in ("posts", "users", "comments", "stories")
    },
}
"""What of the database is the same after each run."""


@dataclass
class Lake:
    """The plan's database, and the services that it crawls."""

    plan: Plan
    services: dict[str, StandIn]
    folder: Path
    """Folder of both stores, `files` and `lake`."""
    run: Callable[..., Coroutine[Any, Any, str]]
    go_on: Callable[[str, str], Awaitable[None]]

    def steps(self, run_id: str) -> dict[str, str]:
        """Return each step's status."""
        rows = self.plan.sql(
            "select step, status from headgate.v_execution_steps where run_id = %(r)s", r=run_id
        )
        return {x["step"]: x["status"] for x in rows}

    def output(self, run_id: str, step: str) -> Any:
        """Return a step's output."""
        return self.plan.scalar(
            "select document #> array['steps', %(step)s, 'output']"
            " from headgate.v_run_documents where run_id = %(r)s",
            step=step,
            r=run_id,
        )

    def tables(self) -> Row:
        """Return the number of rows of each table."""
        (row,) = self.plan.sql(
            "select (select count(*) from onpoint.posts) as posts,"
            " (select count(*) from onpoint.users) as users,"
            " (select count(*) from onpoint.comments) as comments,"
            " (select count(*) from onpoint.stories) as stories"
        )
        return row


@contextmanager
def lake_at(settings: Settings, folder: Path, s3: S3Server | None = None) -> Iterator[Lake]:
    """Point the plan's providers at stand-ins, and its stores at folders, or at the bucket that the folder is."""
    with running(onpoint.services()) as services, connect(settings, "test") as connection:
        plan = Plan(connection)
        for name, service in services.items():
            changes = {"base_url": service.url, "requests_per_minute": 600_000}
            plan.call("set_provider", p_provider=f"onpoint_{name}", p_changes=changes)
        for name in ("files", "lake"):
            if s3 is None:
                plan.call("set_store", p_store=f"onpoint_{name}", p_url=f"file://{folder}/{name}")
            else:
                plan.call(
                    "set_store", p_store=f"onpoint_{name}", p_url=f"s3://{folder.name}/{name}",
                    p_endpoint=s3.address, p_key_id_name=KEY_ID, p_secret_name=SECRET,
                )  # fmt: skip
        plan.sql("update headgate.pipeline_steps set retries = 0")  # a failure ends the run at once

        async def run(pipeline: str, **params: Any) -> str:
            return await carried(settings, plan, pipeline, params)

        yield Lake(plan, services, folder, run, partial(go_on, settings, plan))


@pytest.fixture
def lake(small_database: Settings, tmp_path: Path) -> Iterator[Lake]:
    """Yield a lake in folders."""
    with lake_at(small_database, tmp_path) as lake:
        yield lake


Loaded = tuple[Lake, str]


@pytest.fixture(scope="session")
def loaded(
    clone: Clones, small_template: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    """Yield a lake after a whole run, and the run, for tests that only look at what it left."""
    with lake_at(clone(small_template), tmp_path_factory.mktemp("loaded")) as lake:
        yield lake, asyncio.run(lake.run(DATA))


@pytest.fixture
def bucket(
    clone_for_test: Callable[[Settings], Settings], small_template: Settings, s3: S3Server
) -> Iterator[Lake]:
    """Yield a lake in a bucket, whose objects are files below `folder`, with its own database."""
    with lake_at(clone_for_test(small_template), s3.folder / s3.bucket(), s3) as lake:
        yield lake


def files(folder: Path) -> dict[str, str]:
    """Return the hash of each file, by its path; not of a store's clock and what its server began."""
    return {
        str(x.relative_to(folder)): hashlib.sha256(x.read_bytes()).hexdigest()
        for x in folder.rglob("*")
        if x.is_file() and not x.name.startswith((".headgate-clock", ".localbucket-"))
    }


def stand_still(lake: Lake) -> None:
    """Give all runs one time, in which services answer the same, so that they end the same."""
    top = [*range(FIRST, FIRST + 12)]
    routes = lake.services["hackernews"].routes
    lake.services["hackernews"].routes = {**routes, ("GET", "/v0/topstories.json"): lambda _: top}
    lake.plan.sql(STANDS_STILL)
    lake.plan.freeze_clock(NOW)


def ending(lake: Lake) -> dict[str, Any]:
    """Return what a run leaves: files of both stores, artifacts, rows of all tables, notices."""
    return {
        "files": {x: files(lake.folder / x) for x in ("files", "lake")},
        **{name: [tuple(x.values()) for x in lake.plan.sql(query)] for name, query in LEFT.items()},
    }
