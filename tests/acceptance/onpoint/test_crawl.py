"""[O1] to [O3], [O7]: records are crawled, validated, processed and checked, over real HTTP."""

from __future__ import annotations

from collections import Counter

from headgate.demo.services import Reply
from headgate.demo.services.hackernews import FIRST, STORIES, item
from tests.acceptance.onpoint.conftest import DATA, Lake, Loaded

KEPT = [
    number
    for number in range(FIRST, FIRST + STORIES)
    if (found := item(number)) and found["type"] == "story" and "deleted" not in found
]


def test_o1_lists_and_each_story_are_requested_once(loaded: Loaded):
    lake, run_id = loaded

    assert set(lake.steps(run_id).values()) == {"succeeded"}
    services = [y for x, y in lake.services.items() if x != "website"]
    asked = Counter(x.ask.path for service in services for x in service.calls)
    assert set(asked.values()) == {1}
    assert len(asked) == 3 + 1 + STORIES


def test_o1_an_item_that_is_not_a_story_is_skipped_with_the_reason(loaded: Loaded):
    lake, _ = loaded

    rows = lake.plan.sql(
        "select coalesce(reason, error) as reason, count(*) as jobs"
        " from headgate.v_asset_processing_history"
        " where status = 'skipped' and operation = 'onpoint_story' group by 1"
    )
    reasons = {x["reason"]: x["jobs"] for x in rows}
    assert set(reasons) == {
        "there is no such item",
        "the story was deleted",
        "the item is no story but job",
    }
    assert sum(reasons.values()) == STORIES - len(KEPT)


async def test_o1_too_many_requests_are_made_again_later(lake: Lake):
    lake.services["jsonplaceholder"].fail("status", times=2, status=429)
    run_id = await lake.run(DATA, max_stories=3)

    assert lake.steps(run_id)["crawl_apis"] == "succeeded"
    assert lake.tables()["posts"] == 100


async def test_o2_a_run_continues_without_one_of_three_data_sets_and_names_it(lake: Lake):
    lake.services["hackernews"].fail("status", status=404)
    run_id = await lake.run(DATA)

    steps = lake.steps(run_id)
    assert (steps["crawl_apis"], steps["load_data"]) == ("failed", "succeeded")
    assert lake.output(run_id, "validate_raw_data")["missing"] == ["hackernews_stories.json"]
    assert lake.tables() == {"posts": 100, "users": 10, "comments": 500, "stories": 0}
    summary = lake.output(run_id, "send_success_notification")["summary"]
    assert summary.endswith("\nNot crawled: hackernews_stories.json\nFailed: crawl_apis")
    told = {f"{DATA} has loaded its data without crawl_apis", f"{DATA} failed: run {run_id}"}
    notices = lake.plan.sql("select channel, subject from headgate.v_notices")
    assert {(x["channel"], x["subject"]) for x in notices} == {
        (channel, subject) for channel in ("onpoint_mail", "onpoint_slack") for subject in told
    }


def told(lake: Lake, subject: str) -> list[str]:
    """Return what Slack is to be told under a subject that begins so."""
    rows = lake.plan.sql(
        "select body from headgate.v_notices where channel = 'onpoint_slack' and starts_with(subject, %(s)s)",
        s=subject,
    )
    return [x["body"] for x in rows]


async def test_o2_a_run_whose_web_crawl_failed_continues_and_reports_it(lake: Lake):
    lake.services["website"].rest = lambda _: Reply(status=500)
    lake.plan.sql(
        "update headgate.operations set max_attempts = 1, max_wait = '1 second' where name = 'onpoint_page'"
    )
    run_id = await lake.run(DATA, max_stories=3)

    steps = lake.steps(run_id)
    assert {x: y for x, y in steps.items() if y != "succeeded"} == {"crawl_web": "failed"}
    assert lake.tables()["posts"] == 100
    (loaded,) = told(lake, f"{DATA} has loaded its data without crawl_web")
    assert loaded.endswith("\nFailed: crawl_web")
    (failure,) = told(lake, f"{DATA} failed: run {run_id}")
    assert "Failed task: crawl_web, at " in failure


async def test_o2_fewer_than_two_data_sets_stop_a_run(lake: Lake):
    for service in lake.services.values():
        service.fail("status", status=500)
    lake.plan.sql(
        "update headgate.operations set max_attempts = 1, max_wait = '1 second' where name like 'onpoint%%'"
    )
    run_id = await lake.run(DATA)

    steps = lake.steps(run_id)
    assert (steps["validate_raw_data"], steps["load_data"]) == ("failed", "skipped")
    said = lake.plan.scalar(
        "select output ->> 'error' from headgate.v_execution_steps where step = 'validate_raw_data'"
    )
    assert "too little was crawled: no records of hackernews_stories.json" in said
    (failure,) = told(lake, f"{DATA} failed: run {run_id}")
    assert said in failure


async def test_o3_processing_counts_rows_columns_duplicates_and_nulls(lake: Lake):
    posts = lake.services["jsonplaceholder"]
    twice = [
        {"id": 1, "userId": 1, "title": "a", "body": "b"},
        {"id": 1, "userId": 1, "title": "c", "body": " "},
    ]
    posts.routes = {**posts.routes, ("GET", "/posts"): lambda _: twice}
    run_id = await lake.run(DATA, max_stories=3)

    assert lake.output(run_id, "process_data")["posts"] == {
        "records": 2,
        "rows": 1,
        "duplicates": 1,
        "columns": 5,
        "nulls": 1,
    }
    (row,) = lake.plan.sql("select title, body from onpoint.posts")
    assert row == {"title": "c", "body": None}

    samples = lake.plan.sql(
        "select name, value from headgate.v_metrics where name like 'onpoint%%' and labels ->> 'pipeline' = %(p)s",
        p=DATA,
    )
    metrics = {x["name"].removeprefix("onpoint_"): x["value"] for x in samples}
    processed = lake.output(run_id, "process_data").values()
    assert metrics["records_processed"] == sum(x["rows"] for x in processed if isinstance(x, dict))
    assert metrics["processing_time_seconds"] > 0
    assert 0 < metrics["success_rate"] <= 1


async def test_o7_a_check_that_fails_is_named_and_what_was_loaded_stays(lake: Lake):
    users = lake.services["jsonplaceholder"]
    nobody = [{"id": 1, "name": "Nobody", "email": " "}]
    users.routes = {**users.routes, ("GET", "/users"): lambda _: nobody}
    run_id = await lake.run(DATA, max_stories=3)

    assert lake.steps(run_id)["data_quality_check"] == "failed"
    said = lake.output(run_id, "data_quality_check")["error"]
    assert "null_check" in said
    assert "row_count_check" not in said
    assert lake.tables()["users"] == 1


def test_o7_the_three_checks_have_their_results_kept(loaded: Loaded):
    lake, run_id = loaded

    rows = lake.plan.sql(
        "select name, status from headgate.v_check_results where run_id = %(r)s order by name",
        r=run_id,
    )
    assert {x["name"]: x["status"] for x in rows} == {
        "duplicate_check": "passed",
        "null_check": "passed",
        "row_count_check": "passed",
    }
