"""[O4] to [O6], [O8], [O9]: files of four formats are loaded, uploaded, announced, and cleaned up."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, LiteralString

import pyarrow.parquet
import pytest
from python_calamine import CalamineWorkbook

from headgate.demo import inbox_of
from headgate.demo.services.hackernews import FIRST, STORIES, item
from headgate.settings import Settings
from headgate.worker.worker import work
from tests.acceptance.onpoint.conftest import DATA, Lake, Loaded, files
from tests.limits import PATIENCE

KEPT = [
    number
    for number in range(FIRST, FIRST + STORIES)
    if (found := item(number)) and found["type"] == "story" and "deleted" not in found
]
FORMATS = ("parquet", "xlsx", "ndjson.gz", "json.gz")
ROWS = {"posts": 100, "users": 10, "comments": 500, "stories": len(KEPT)}
NOTICES: LiteralString = "select channel, status from headgate.v_notices order by channel"
PARTITION = r"year=\d{4}/month=\d\d/day=\d\d/hour=\d\d"


def file_of(lake: Lake, data_set: str, form: str) -> Path:
    (found,) = (lake.folder / "lake" / data_set).rglob(f"*.{form}")
    return Path(found)


def records(lake: Lake, data_set: str, form: str) -> list[dict[str, Any]]:
    """Read a file with another library than the one that wrote it."""
    place = file_of(lake, data_set, form)
    if form == "parquet":
        rows: list[dict[str, Any]] = pyarrow.parquet.read_table(place).to_pylist()
        return [
            {**x, "etl_processed_at": x["etl_processed_at"].replace(microsecond=0, tzinfo=None)}
            for x in rows
        ]
    if form == "xlsx":
        header, *lines = CalamineWorkbook.from_path(str(place)).get_sheet_by_index(0).to_python()
        rows = [
            dict(zip(map(str, header), [None if y == "" else y for y in x], strict=True))
            for x in lines
        ]
        return [
            {**x, "etl_processed_at": x["etl_processed_at"].replace(microsecond=0)} for x in rows
        ]
    text = gzip.decompress(place.read_bytes())
    return list(map(json.loads, text.splitlines())) if form == "ndjson.gz" else json.loads(text)


def bring_back(lake: Lake) -> None:
    """Undo the cleanup: the temporary files exist again."""
    lake.plan.sql("update headgate.artifacts set deleted_at = null where store = 'onpoint_files'")
    for path in files(lake.folder / "lake"):
        place = lake.folder / "files" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((lake.folder / "lake" / path).read_bytes())


async def rerun(lake: Lake, run_id: str, step: str) -> None:
    lake.plan.call("rerun_step", p_pipeline=DATA, p_run_id=run_id, p_step=step)
    await lake.go_on(DATA, run_id)


def test_o4_each_data_set_is_in_four_formats_with_equal_content(loaded: Loaded):
    lake, _ = loaded

    for data_set, rows in ROWS.items():
        first, *others = (records(lake, data_set, form) for form in FORMATS)
        assert len(first) == rows
        for record in (*others[1], *others[2]):
            record.pop("etl_processed_at", None), record.pop("published_at", None)
        plain = [{x: y for x, y in r.items() if not x.endswith("_at")} for r in first]
        assert [{x: y for x, y in r.items() if not x.endswith("_at")} for r in others[0]] == plain
        assert others[1] == others[2] == plain
        assert [r["etl_processed_at"] for r in others[0]] == [r["etl_processed_at"] for r in first]


def test_o4_parquet_is_packed_with_dictionaries_and_narrow_numbers(loaded: Loaded):
    lake, _ = loaded

    file = pyarrow.parquet.ParquetFile(file_of(lake, "stories", "parquet"))
    column = file.metadata.row_group(0).column(0)
    assert column.compression == "SNAPPY"
    assert "RLE_DICTIONARY" in column.encodings
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert (types["id"], types["rank"]) == ("int32", "int16")
    assert types["etl_processed_at"] == "timestamp[us, tz=UTC]"


def test_o5_tables_and_views_have_the_rows_of_the_files(loaded: Loaded):
    lake, run_id = loaded

    assert lake.tables() == ROWS
    for name in ("posts", "users", "comments"):
        rows = lake.plan.sql(f"select * from onpoint.onpoint_{name} order by id")
        wanted = records(lake, name, "parquet")
        assert [{x: y for x, y in r.items() if x != "etl_processed_at"} for r in rows] == [
            {x: y for x, y in r.items() if x != "etl_processed_at"} for r in wanted
        ]
    assert lake.output(run_id, "run_etl") == {
        "users": 10, "posts_without_user": 0, "comments_without_post": 0,
    }  # fmt: skip


async def test_o5_loading_a_run_twice_changes_nothing(lake: Lake):
    run_id = await lake.run(DATA)
    query = "select xmin::text, id from onpoint.posts union all select xmin::text, id from onpoint.stories order by 2, 1"
    before = lake.plan.sql(query)
    bring_back(lake)
    await rerun(lake, run_id, "load_data")

    assert lake.steps(run_id)["load_data"] == "succeeded"
    assert lake.output(run_id, "load_data")["onpoint_load_posts"] == {"files": 1, "rows": 100}
    assert lake.plan.sql(query) == before


async def test_o5_tables_that_are_gone_are_named_before_anything_is_loaded(lake: Lake):
    lake.plan.sql("drop table onpoint.user_activity cascade; drop view onpoint.onpoint_users")
    lake.plan.sql(
        "create or replace function onpoint.run_etl(p_pipeline text, p_run_id text) returns jsonb"
        " language sql security definer set search_path = pg_catalog, pg_temp as $$ select '{}'::jsonb $$"
    )
    run_id = await lake.run(DATA, max_stories=3)

    assert lake.steps(run_id)["load_data"] == "skipped"
    assert (
        "not there in schema onpoint: user_activity, onpoint_users"
        in lake.output(run_id, "create_tables")["error"]
    )


def test_o6_keys_have_the_hour_and_the_content_s_hash(loaded: Loaded):
    lake, run_id = loaded

    found = files(lake.folder / "lake")
    assert Counter(x.split("/")[0] for x in found) == dict.fromkeys(ROWS, len(FORMATS))
    for path, digest in found.items():
        assert re.fullmatch(rf"\w+/{PARTITION}/[^/]+-0-{digest[:16]}\.[a-z.]+", path), path
    assert lake.output(run_id, "upload_to_s3") == {x: {"files": 4} for x in ROWS}


async def test_o8_slack_and_mail_are_told_of_date_duration_rows_and_files(
    small_database: Settings, lake: Lake
):
    async def are_sent() -> bool:
        return {x["status"] for x in lake.plan.sql(NOTICES)} == {"sent"}

    with inbox_of("onpoint", small_database) as inbox:
        run_id = await lake.run(DATA)
        async with asyncio.timeout(PATIENCE):
            await work(small_database, until=are_sent, processes=1)

    said = lake.output(run_id, "send_success_notification")["summary"].splitlines()
    assert said[0] == f"DAG: {DATA}"
    assert re.fullmatch(r"Date: \d{4}-\d\d-\d\d", said[1])
    assert re.fullmatch(r"Duration: \d+ s", said[2])
    assert said[3:7] == [f"{x}: {ROWS[x]} rows" for x in sorted(ROWS)]
    assert re.fullmatch(r"16 of 16 files uploaded, [1-9]\d+ bytes", said[7])
    assert [x["channel"] for x in lake.plan.sql(NOTICES)] == ["onpoint_mail", "onpoint_slack"]
    posted, subject = inbox.messages()
    assert posted.splitlines() == [f"Slack: *{DATA} succeeded*", *said]
    assert subject == f"mail to data-team@localhost: {DATA} succeeded"
    (mail,) = inbox.mail.mails
    assert [x for x in said if x not in str(mail.get_payload())] == []


async def test_o8_a_run_that_failed_is_no_success(lake: Lake):
    users = lake.services["jsonplaceholder"]
    nobody = [{"id": 1, "name": "Nobody", "email": " "}]
    users.routes = {**users.routes, ("GET", "/users"): lambda _: nobody}
    run_id = await lake.run(DATA, max_stories=3)

    assert lake.steps(run_id)["send_success_notification"] == "skipped"
    assert lake.plan.sql("select from headgate.v_notices where subject like '%%succeeded'") == []


def test_o9_temporary_files_go_when_a_run_ends_and_those_of_killed_runs_after_a_day(loaded: Loaded):
    lake, run_id = loaded

    assert files(lake.folder / "files") == {}
    assert lake.output(run_id, "cleanup_temp_files") == {"files": 16}
    assert len(files(lake.folder / "lake")) == 16


async def test_o9_temporary_files_go_also_after_a_failure(lake: Lake):
    (lake.folder / "lake").write_text("no folder")
    lake.plan.sql(
        "update headgate.operations set max_wait = '1 second', backoff = '0.1 s' where name = 'onpoint_upload'"
    )
    run_id = await lake.run(DATA, max_stories=3)

    steps = lake.steps(run_id)
    assert (steps["upload_to_s3"], steps["cleanup_temp_files"]) == ("failed", "succeeded")
    assert files(lake.folder / "files") == {}


@pytest.mark.parametrize("step", ["upload_to_s3", "cleanup_temp_files"])
async def test_o9_tidying_up_twice_changes_nothing(lake: Lake, step: str):
    run_id = await lake.run(DATA, max_stories=3)
    before = files(lake.folder / "lake")
    query = "select artifact_id, deleted_at is null as is_there from headgate.artifacts order by 1"
    rows = lake.plan.sql(query)
    bring_back(lake)
    await rerun(lake, run_id, step)

    assert set(lake.steps(run_id).values()) == {"succeeded"}
    assert (files(lake.folder / "lake"), files(lake.folder / "files")) == (before, {})
    assert lake.plan.sql(query) == rows
