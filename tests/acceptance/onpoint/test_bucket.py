"""[O6]: with an S3 server for its stores the whole plan ends as with folders, also when done twice or held up."""

from __future__ import annotations

import shutil

from tests.acceptance.onpoint.conftest import DATA, Lake, ending, files, stand_still
from tests.acceptance.onpoint.test_files import rerun


def bring_back(lake: Lake) -> None:
    """Undo the cleaning up: the temporary files are there again."""
    lake.plan.sql("update headgate.artifacts set deleted_at = null where store = 'onpoint_files'")
    shutil.copytree(lake.folder / "lake", lake.folder / "files", dirs_exist_ok=True)


async def test_o6_a_bucket_ends_up_as_a_folder_does_and_when_all_is_done_twice(
    lake: Lake, bucket: Lake
):
    for one in (lake, bucket):
        stand_still(one)
        run_id = await one.run(DATA)
        assert set(one.steps(run_id).values()) == {"succeeded"}
    once = ending(bucket)
    assert once == ending(lake)
    assert (len(once["files"]["lake"]), once["files"]["files"]) == (16, {})

    bring_back(bucket)
    await rerun(bucket, run_id, "load_data")
    assert set(bucket.steps(run_id).values()) == {"succeeded"}
    assert ending(bucket) == once


async def test_o6_a_missing_bucket_is_named_and_the_run_tidies_up_and_is_reported(bucket: Lake):
    bucket.plan.sql(
        "update headgate.operations set max_wait = '1 second', backoff = '0.1 s' where name = 'onpoint_upload'"
    )
    bucket.plan.sql("update headgate.stores set url = 's3://gone' where name = 'onpoint_lake'")
    run_id = await bucket.run(DATA, max_stories=3)

    steps = bucket.steps(run_id)
    assert (steps["upload_to_s3"], steps["cleanup_temp_files"]) == ("failed", "succeeded")
    assert files(bucket.folder / "files") == {}
    told = bucket.plan.sql(
        "select channel, body from headgate.v_notices where subject like '%%failed%%'"
    )
    assert {x["channel"] for x in told} == {"onpoint_mail", "onpoint_slack"}
    assert all("store onpoint_lake: there is no s3://gone" in x["body"] for x in told)
