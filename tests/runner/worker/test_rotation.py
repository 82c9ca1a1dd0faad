"""A provider's secret is replaced while a runner works: nothing stops, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from headgate.errors import InvalidValue
from headgate.handlers.pool import ALWAYS, environ_of_handlers
from headgate.settings import Settings
from headgate.worker.auth import Auth
from headgate.worker.calls import Caller
from tests.limits import until
from tests.plan import Plan
from tests.runner.shop import Shop, json_of
from tests.runner.small_plan import start, status, write_plan

OLD, NEW = "the-old-secret", "the-new-secret"
ASSETS = 30


class Keyed:
    """A provider that takes one secret at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.valid = OLD
        self.good: list[str] = []
        self.refused: list[str] = []

    def put(self, secret: str) -> None:
        """Replace the secret's file as Kubernetes does, by a rename."""
        draft = self.folder / ".draft"
        draft.write_text(f"{secret}\n")
        os.replace(draft, self.folder / "SHOP_TOKEN")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """After ten answers the secret is replaced, and the old one is refused at once."""
        if len(self.good) == 10 and self.valid == OLD:
            self.put(NEW)
            self.valid = NEW
        secret = request.headers["Authorization"].removeprefix("Bearer ")
        if secret != self.valid:
            self.refused.append(secret)
            return await json_of("{}", status=401)(request)
        self.good.append(secret)
        return await json_of("{}")(request)


@pytest.fixture
def keyed(shop: Shop, plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keyed:
    monkeypatch.setenv("HEADGATE_SECRETS", str(tmp_path))
    monkeypatch.setenv("SHOP_TOKEN", "of no use: the file goes first")
    keyed = Keyed(tmp_path)
    shop.answer = keyed.handle
    write_plan(
        plan,
        base_url=shop.url,
        assets=ASSETS,
        auth={"in": "bearer"},
        secret_name="SHOP_TOKEN",
        operation_columns={"backoff": "100 ms", "chunk_size": 5},
    )
    return keyed


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
async def test_a_call_that_went_with_the_old_secret_is_made_again_with_the_new_one(
    keyed: Keyed, plan: Plan, run: Callable[..., Coroutine[Any, Any, None]], delivery: str
):
    plan.sql("update headgate.operations set delivery = %(delivery)s", delivery=delivery)
    keyed.put(OLD)
    start(plan)
    await run(concurrency=4)

    assert keyed.good == [OLD] * 10 + [NEW] * (ASSETS - 10)
    assert keyed.refused and set(keyed.refused) == {OLD}
    ended = status(plan)
    assert (ended["status"], ended["succeeded"], ended["failed"]) == ("succeeded", ASSETS, 0)
    assert plan.scalar("select count(*) from public.answers") == ASSETS


async def test_jobs_that_are_refused_before_the_file_is_replaced_are_made_by_the_next_run(
    keyed: Keyed, plan: Plan, run: Callable[..., Coroutine[Any, Any, None]]
):
    keyed.put(OLD)
    keyed.valid = NEW
    start(plan)
    await run()
    first = status(plan)
    assert (first["succeeded"], first["failed"], first["deferred"]) == (0, 0, ASSETS)

    keyed.put(NEW)
    start(plan, "r2")
    await run("r2")
    assert status(plan, "r2")["succeeded"] == ASSETS


async def test_a_runner_without_a_secret_works_as_soon_as_the_file_is_there(
    keyed: Keyed,
    plan: Plan,
    run: Callable[..., Coroutine[Any, Any, None]],
    caplog: pytest.LogCaptureFixture,
):
    (keyed.folder / "SHOP_TOKEN").write_text("\0")
    keyed.valid = NEW
    start(plan)
    running = asyncio.create_task(run())
    await until(lambda: "nothing can be asked of shop" in caplog.text)
    keyed.put(NEW)
    plan.sql("select pg_notify('headgate_jobs', '')")
    await running

    assert (len(keyed.good), keyed.refused) == (ASSETS, [])


async def test_a_secret_that_is_gone_for_a_moment_is_the_last_one(keyed: Keyed):
    auth, caller = Auth("bearer", "", "SHOP_TOKEN"), Caller(1)
    os.environ.pop("SHOP_TOKEN")
    keyed.put(OLD)
    assert caller._secret(auth) == OLD
    (keyed.folder / "SHOP_TOKEN").unlink()
    assert caller._secret(auth) == OLD
    keyed.put(NEW)
    assert caller._secret(auth) == NEW


def test_a_handler_gets_the_secret_of_its_file_and_never_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "MODEL_KEY").write_text("from the file\n")
    environ = {"HEADGATE_SECRETS": str(tmp_path), "MODEL_KEY": "from outside", "OTHER": " as is "}
    declared = ["MODEL_KEY", "OTHER", "HEADGATE_SECRETS", "HEADGATE_PASSWORD", "NOWHERE"]

    seen = environ_of_handlers(environ, declared)

    assert seen.pop("MODEL_KEY") == "from the file"
    assert seen.keys() == {"OTHER", *ALWAYS}


def test_a_folder_of_secrets_that_is_not_there_is_refused_at_the_start():
    with pytest.raises(InvalidValue, match="HEADGATE_SECRETS is /nowhere, which is not there"):
        Settings.from_env({"HEADGATE_SECRETS": "/nowhere"})
