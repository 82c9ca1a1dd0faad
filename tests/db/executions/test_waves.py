"""Waves: a step is planned again in the same run if its jobs have made more assets due, each asset once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy

PROVIDER = "put_provider('site', 'http://site.test', auth => '{\"in\": \"none\"}')"
PIPELINE = "put_pipeline('crawl')"


def page(due: str) -> str:
    return (
        f"put_operation('page', 'pages', due => '{due}', provider => 'site', chunk_size => 10,"
        " max_attempts => 1, request => 'GET /{asset.code}')"
    )


def step(waves: int) -> str:
    return f"put_step('crawl', 'walk', operations => '{{page}}', max_waves => {waves}, max_failed_share => 1)"


@pytest.fixture
def site(toy: Toy) -> Toy:
    """Crawl a site that starts with one page, due in every run, in up to ten waves."""
    return declared(toy, page("run"), step(10))


def declared(toy: Toy, *calls: str) -> Toy:
    Shelf(toy).put(PROVIDER, calls[0], PIPELINE, *calls[1:], plan="site")
    toy.call("check_plans")
    toy.add(universe="pages", group="w0")
    return toy


def walk(toy: Toy, found: int, run: str = "r1", outcome: str = "success", waves: int = 3) -> int:
    """Work the run off: each wave finds `found` pages, until enough waves have; return the jobs."""
    jobs = wave = 0
    while claimed := toy.claim(chunks=10):
        wave += 1
        if wave <= waves:
            toy.add(found, universe="pages", group=f"w{wave}")
        for chunk in claimed:
            toy.complete(chunk, outcome)
            jobs += len(chunk["asset_ids"])
    toy.advance()
    return jobs


def test_assets_that_a_wave_finds_are_done_in_the_same_run_and_nothing_twice(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")

    assert walk(site, 4) == 1 + 3 * 4
    assert set(Counter(x["asset_id"] for x in site.details()).values()) == {1}
    assert site.step("walk", pipeline="crawl")["succeeded"] == 13
    assert site.execution(pipeline="crawl")["status"] == "succeeded"


def test_the_next_run_does_all_of_it_again(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    walk(site, 2, waves=1)
    site.start("r2", "crawl", p_driver="headgate")

    assert walk(site, 0) == 3


def test_waves_end_with_the_last_one_and_the_rest_stays_due(toy: Toy):
    declared(toy, page("every 1 day"), step(2))
    toy.start(pipeline="crawl", p_driver="headgate")
    assert walk(toy, 2) == 3
    toy.start("r2", "crawl", p_driver="headgate")

    assert walk(toy, 0) == 2


def test_a_step_without_waves_is_planned_once(toy: Toy):
    declared(toy, page("run"), "put_step('crawl', 'walk', operations => '{page}')")
    toy.start(pipeline="crawl", p_driver="headgate")

    assert walk(toy, 4) == 1


def test_failed_jobs_are_not_repeated_by_a_later_wave(toy: Toy):
    declared(toy, page("every 1 day"), step(10))
    toy.start(pipeline="crawl", p_driver="headgate")

    assert walk(toy, 1, outcome="failed") == 4
    assert toy.endings() == {"failed": 4}


def test_a_retry_of_what_failed_may_find_more(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    walk(site, 0, outcome="failed")
    site.call("retry_failed", p_pipeline="crawl", p_run_id="r1")

    assert walk(site, 3, waves=1) == 1 + 3
    assert site.step("walk", pipeline="crawl")["succeeded"] == 4


def test_with_a_scheduler_a_wave_is_planned_by_runners(site: Toy):
    site.start(pipeline="crawl")
    site.enqueue("walk", pipeline="crawl")

    assert walk(site, 4) == 13
    assert site.step("walk", pipeline="crawl")["status"] == "succeeded"


def test_a_run_that_is_finalized_between_two_waves_ends_with_what_was_done(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    (chunk,) = site.claim()
    site.add(2, universe="pages", group="w1")
    site.complete(chunk)
    site.finish(pipeline="crawl")

    assert site.step("walk", pipeline="crawl")["status"] == "succeeded"
    assert walk(site, 0) == 0


def test_a_step_between_two_waves_is_not_stuck(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    (chunk,) = site.claim()
    site.complete(chunk)

    assert not [x for x in site.call("examine") if "walk" in str(x)]


def test_a_wave_is_cancelled_with_its_run(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    (chunk,) = site.claim()
    site.add(2, universe="pages", group="w1")
    site.complete(chunk)
    site.call("cancel_execution", p_pipeline="crawl", p_run_id="r1")

    assert walk(site, 0) == 0
    assert site.execution(pipeline="crawl")["status"] == "cancelled"


def test_a_step_that_is_run_again_finds_what_came_since(site: Toy):
    site.start(pipeline="crawl", p_driver="headgate")
    walk(site, 1, waves=1)
    site.call("rerun_step", p_pipeline="crawl", p_run_id="r1", p_step="walk")

    assert walk(site, 3, waves=1) == 2 + 2
