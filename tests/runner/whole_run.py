"""Run of a small pipeline by the command line, with checks that text and dates arrive unchanged."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.plan import Plan
from tests.runner.shop import json_of, open_shop
from tests.runner.small_plan import write_plan

CODE = "Zürich '26"
ANSWER = '{"name": "Zürich - 東京 €"}'
WATERMARK = datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)


async def command(
    settings: Settings, *arguments: str, **environ: str
) -> tuple[int | None, str, str]:
    """Run a command in its own process while this event loop serves its calls."""
    known = {"HEADGATE_DSN": dsn_of(settings), "HEADGATE_DB": str(settings.db)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "headgate", *arguments),
        env={**os.environ, **known, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def write_dated_plan(plan: Plan, url: str) -> None:
    """Insert a plan whose requests name an asset and a date."""
    write_plan(plan, base_url=url, assets=0)
    template = {"from": "{state.watermark}"}
    plan.sql("update headgate.operations set query = %(template)s", template=template)
    asset = {"code": CODE, "group_key": "G"}
    plan.call("upsert_assets", p_universe="shop", p_assets=Jsonb([asset]))
    plan.sql("update headgate.asset_processing_state set watermark = %(at)s", at=WATERMARK)


async def assert_runs(settings: Settings, environ: Mapping[str, str]) -> None:
    """Run the pipeline to its end; check its requests and stored rows."""
    with connect(settings, "test") as connection:
        plan = Plan(connection)
        async with open_shop() as shop:
            shop.answer = json_of(ANSWER)
            write_dated_plan(plan, shop.url)
            plan.call("note_schema")  # for doctor
            code, out, err = await command(settings, "run", "small_shop", "--json", **environ)
            assert code == 0, err
            (asked,) = shop.asked
        status = await command(settings, "status", json.loads(out)["run_id"], **environ)

        assert "Traceback" not in err + status[2]
        assert (json.loads(out)["status"], status[0]) == ("succeeded", 0), status
        assert asked.match_info["tail"] == f"api/things/{CODE}"
        assert datetime.fromisoformat(asked.query["from"]) == WATERMARK
        assert plan.scalar("select payload from public.answers") == ANSWER
