"""Pages: an answer that names a next page parks its job for it, in the same commit; each page is a call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.toy import Toy
from tests.plan import Row

CURSOR: dict[str, Any] = {
    "next_page": "$.next",
    "query": {"cursor": "{page.cursor?}"},
    "chunk_size": 1,
}


@pytest.fixture
def paged(toy: Toy) -> Toy:
    """Let the operation look have pages, and one asset."""
    toy.tune(**CURSOR)
    toy.add()
    return toy


def turn(toy: Toy, *said: Any, **more: Any) -> list[str]:
    """Answer page by page with these cursors; return the requests."""
    asked = []
    for cursor in said:
        (chunk,) = toy.claim()
        asked += chunk["urls"]
        toy.complete(chunk, says={"next": cursor, **more})
    return asked


def ended(toy: Toy) -> Row:
    (row,) = toy.sql(
        "select status, reason, error, records, units, attempts, verdict"
        " from headgate.asset_processing_details"
    )
    return row


def test_a_job_continues_until_its_answer_names_no_next_page(paged: Toy):
    paged.begin()
    asked = turn(paged, "a b", "c", None, records=2)

    assert asked == ["/look/A0", "/look/A0?cursor=a%20b", "/look/A0?cursor=c"]
    assert ended(paged) == {
        "status": "success",
        "reason": None,
        "error": None,
        "records": 6,
        "units": 3,
        "attempts": 3,
        "verdict": None,
    }
    assert paged.scalar("select times from toy.answers") == 3
    assert paged.step()["status"] == "succeeded"
    assert paged.sql("select * from headgate.job_pages") == []


def test_each_page_costs_its_units(paged: Toy):
    paged.begin()
    spent = []
    for cursor in ("a", "b", None):
        turn(paged, cursor)
        spent.append(paged.window()["spent"])

    assert spent == [1, 2, 3]
    assert paged.window()["reserved"] == 0


def test_where_the_quota_ends_in_the_middle_the_job_is_deferred(paged: Toy):
    paged.provider(quota=2, buffer=0)
    paged.begin()
    turn(paged, "a", "b")

    assert paged.claim() == []
    assert ended(paged)["status"] == "deferred"
    assert ended(paged)["reason"] == "quota: no units left in this window"
    assert ended(paged)["units"] == 2


def test_a_deferred_job_continues_at_its_page_in_the_same_run(paged: Toy):
    paged.provider(quota=2, buffer=0)
    paged.begin()
    turn(paged, "a", "b", records=1)
    assert paged.claim() == []
    paged.provider(quota=9)
    paged.enqueue(p_attempt=2)

    assert turn(paged, None, records=1) == ["/look/A0?cursor=b"]
    assert paged.scalar("select sum(records) from headgate.asset_processing_details") == 3


def test_another_run_starts_at_the_first_page(paged: Toy):
    paged.provider(quota=2, buffer=0)
    paged.begin()
    turn(paged, "a", "b")
    assert paged.claim() == []
    paged.finish()
    paged.provider(quota=9)
    paged.begin(run="r2")

    assert turn(paged, None) == ["/look/A0"]


def test_a_dead_runner_s_page_is_asked_again_and_no_other(paged: Toy):
    paged.begin()
    turn(paged, "a")
    (lost,) = paged.claim("w1")
    paged.expire(lost)
    (again,) = paged.claim("w2")

    assert lost["urls"] == again["urls"] == ["/look/A0?cursor=a"]
    with paged.refused("HG012"):
        paged.complete(lost)
    paged.complete(again, says={"next": None}, runner="w2")
    assert paged.scalar("select times from toy.answers") == 2


def test_the_token_of_a_page_is_worth_that_page(paged: Toy):
    paged.begin()
    (first,) = paged.claim()
    paged.complete(first, says={"next": "a"})

    with paged.refused("HG012"):
        paged.complete(first)
    assert turn(paged, None) == ["/look/A0?cursor=a"]


def test_a_page_that_is_tried_again_keeps_its_cursor(paged: Toy):
    paged.begin()
    turn(paged, "a")
    (chunk,) = paged.claim()
    paged.complete(chunk, "retry", fault="provider")
    paged.later(minutes=1)

    assert turn(paged, None) == ["/look/A0?cursor=a"]
    assert ended(paged)["status"] == "success"


def test_each_page_has_its_own_attempts(paged: Toy):
    paged.tune(max_attempts=2)
    paged.begin()
    for cursor in ("a", None):
        (chunk,) = paged.claim()
        paged.complete(chunk, "retry")
        paged.later(minutes=5)
        turn(paged, cursor)

    assert ended(paged)["status"] == "success"


def test_a_cursor_that_repeats_is_an_error_that_names_it(paged: Toy):
    paged.begin()
    turn(paged, "a", "b", "a")

    assert ended(paged)["status"] == "failed"
    assert ended(paged)["error"] == (
        "page 3 names the cursor 'a', as page 1 did: it would never end"
    )
    assert paged.claim() == []


def test_the_cap_ends_a_job_and_is_reported(paged: Toy):
    paged.tune(max_pages=2)
    paged.begin()
    turn(paged, "a", "b")

    assert (ended(paged)["status"], ended(paged)["verdict"]) == ("success", "degraded")
    assert ended(paged)["reason"] == "stopped after max_pages, 2: there are more"


def test_jobs_of_a_chunk_end_each_at_its_own_page(toy: Toy):
    toy.tune(**{**CURSOR, "chunk_size": 9})
    assets = toy.add(3)
    toy.begin()
    (chunk,) = toy.claim()
    payloads = ['{"next": "x"}', "{}", '{"next": "y"}']
    toy.call(
        "complete_jobs", p_runner="w1", p_chunk_id=chunk["chunk_id"], p_lease_no=chunk["lease_no"],
        p_asset_ids=assets, p_outcomes=["success"] * 3, p_payloads=payloads,
    )  # fmt: skip
    (chunk,) = toy.claim()

    assert chunk["asset_ids"] == [assets[0], assets[2]]
    assert chunk["urls"] == ["/look/A0?cursor=x", "/look/A2?cursor=y"]
    toy.complete(chunk, says={})
    assert toy.endings() == {"success": 3}


def test_a_watermark_is_set_by_the_last_page(paged: Toy):
    paged.begin()
    turn(paged, "a", watermark="2024-03-04 00:00+00")
    watermark = "select watermark::date::text from headgate.v_asset_states where asset = 'A0'"
    assert paged.scalar(watermark) is None
    turn(paged, None, watermark="2024-03-01 00:00+00")

    assert paged.scalar(watermark) == "2024-03-04"


def test_a_cursor_can_be_kept_across_runs(paged: Toy):
    paged.tune(query={"after": "{state.cursor?}"})
    paged.begin()
    assert turn(paged, "a", "b", None) == ["/look/A0", "/look/A0?after=a", "/look/A0?after=b"]
    paged.finish()
    paged.later(days=1)
    paged.begin(run="r2")

    assert turn(paged, "b") == ["/look/A0?after=b"], "nothing new since"
    assert paged.endings() == {"success": 2}
    paged.finish("r2")
    (asset,) = paged.add()
    paged.call("reset_asset", p_asset_id=asset)
    paged.begin(run="r3")
    assert turn(paged, None) == ["/look/A0"]


@pytest.mark.parametrize(
    ("next_page", "query", "bodies", "asked"),
    [
        (
            "$.has_more",
            {"page": "{page.number}"},
            [{"has_more": True}, {"has_more": False}],
            ["/look/A0?page=1", "/look/A0?page=2"],
        ),
        (
            "offset $.items[*]",
            {"offset": "{page.cursor?}"},
            [{"items": [1, 2]}, {"items": [3, 4, 5]}, {"items": []}],
            ["/look/A0", "/look/A0?offset=2", "/look/A0?offset=5"],
        ),
        ("$.next", {"after": "{page.cursor?}"}, [{"next": 7}, {"next": ""}],
         ["/look/A0", "/look/A0?after=7"]),
    ],
)  # fmt: skip
def test_pages_are_told_by_a_value_a_flag_or_the_rows(
    paged: Toy, next_page: str, query: Row, bodies: list[Row], asked: list[str]
):
    paged.tune(next_page=next_page, query=query)
    paged.begin()
    found = []
    for body in bodies:
        (chunk,) = paged.claim()
        found += chunk["urls"]
        paged.complete(chunk, says=body)

    assert found == asked
    assert ended(paged)["status"] == "success"


@pytest.mark.parametrize(
    ("link", "then"),
    [
        ('<https://shop.test/look?a=1&page=2%2F%2B>; rel="next"', "/look/A0?page=2%2F%2B"),
        (
            "</look?page=1>; rel=prev, </look?page=3>; rel=next; title=x, </look?page=9>; rel=last",
            "/look/A0?page=3",
        ),
        ('</look?page=1>; rel="first", </look?page=9>; rel="last"', None),
        (None, None),
        ('</look?seite=2>; rel="next"', "the Link to the next page has no parameter page"),
    ],
)
def test_pages_are_told_by_the_link_header(paged: Toy, link: str | None, then: str | None):
    paged.tune(next_page="link page", query={"page": "{page.cursor?}"})
    paged.begin()
    (chunk,) = paged.claim()
    assert chunk["call"]["answers"] == "headers"
    answer = json.dumps({"status": 200, "headers": {"link": link} if link else {}})
    paged.complete(chunk, says={}, p_answers=[answer])

    if then is None:
        assert ended(paged)["status"] == "success"
    elif then.startswith("/"):
        assert paged.claim()[0]["urls"] == [then]
    else:
        assert (ended(paged)["status"], ended(paged)["error"]) == ("failed", then)


def test_a_cursor_that_is_not_a_value_fails_its_job(paged: Toy):
    paged.begin()
    turn(paged, {"page": 2})

    assert ended(paged)["error"] == '$.next is not a cursor: {"page": 2}'


def test_each_page_has_its_own_key(paged: Toy):
    paged.tune(query={"cursor": "{page.cursor?}", "key": "{job.key}"})
    paged.begin()
    first, second = turn(paged, "a", None)

    assert first.partition("key=")[2] != second.partition("key=")[2]


def test_a_run_that_is_cancelled_asks_for_no_further_page(paged: Toy):
    paged.begin()
    (chunk,) = paged.claim()
    paged.call("cancel_execution", p_pipeline="plain", p_run_id="r1")
    paged.complete(chunk, says={"next": "a"})

    assert ended(paged)["status"] == "cancelled"
    assert paged.claim() == []


def test_pages_of_old_runs_are_forgotten(paged: Toy):
    paged.provider(quota=1, buffer=0)
    paged.begin()
    turn(paged, "a")
    assert paged.claim() == []
    paged.finish()
    paged.later(days=70)
    paged.call("retain", p_keep="30 days")

    assert paged.sql("select * from headgate.job_pages") == []
