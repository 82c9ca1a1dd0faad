"""What the pages of a run say, and that names and errors are text in them."""

from __future__ import annotations

import re

from tests.runner.web.conftest import PATHS, SCRIPT, end_job


async def test_names_and_errors_are_shown_as_text(hostile, client):
    shown = {}
    for path in PATHS:
        async with client.get(f"/{path}") as answer:
            shown[path] = await answer.text()
        assert (path, answer.status) == (path, 200)
        assert SCRIPT not in shown[path]
        assert re.findall(r"<script\b[^>]*>", shown[path]) == [
            '<script src="/static/live.js" defer>'
        ]

    escaped = "&lt;script&gt;document.title"
    assert [path for path in PATHS if escaped not in shown[path]] == []


async def test_pages_name_no_other_host_and_no_secret(hostile, client, core, monkeypatch):
    monkeypatch.setenv("SHOP_TOKEN", "a-secret-of-the-shop")
    hostile.sql("update headgate.providers set secret_name = 'SHOP_TOKEN' where name = 'shop'")
    for path in (*PATHS, "nowhere"):
        async with client.get(f"/{path}") as answer:
            text = await answer.text()

        assert (
            re.findall(r"""(?:src|href|action|url\()\s*=?\s*["']?(?:\w+:)?//[^"' ]*""", text) == []
        )
        assert "a-secret-of-the-shop" not in text
        assert str(core.home) not in text


async def test_a_run_shows_its_failure_with_an_example_and_how_to_go_on(hostile, client):
    async with client.get("/runs/small_shop/r1") as answer:
        text = await answer.text()

    (failures,) = re.findall(r'<section id="failures".*?</section>', text, re.DOTALL)
    assert "look_shop" in failures and "1</td>" in failures
    assert "no runner is connected" in text
    assert "worker</code>" in text


async def test_a_run_says_why_jobs_were_skipped(hostile, client):
    end_job(hostile, "skipped")
    async with client.get("/runs/small_shop/r1") as answer:
        text = await answer.text()

    (skipped,) = re.findall(r'<section id="skipped".*?</section>', text, re.DOTALL)
    assert "look_shop" in skipped and "&lt;script&gt;" in skipped and "1</td>" in skipped


async def test_a_name_that_is_nearly_right_is_suggested(hostile, client):
    for path, said in {
        "/runs/small_shop/r": "Did you mean r1?",
        "/runs/small_shp/r1": "small_shop",
        "/pipelines/small_shp": "small_shop",
        "/pipelinse": "Did you mean /pipelines",
    }.items():
        async with client.get(path) as answer:
            text = await answer.text()

        assert (path, answer.status) == (path, 404)
        assert said in text


async def test_the_overview_names_what_is_paused(hostile, client):
    hostile.call("pause_pipeline", p_pipeline="small_shop")
    async with client.get("/") as answer:
        text = await answer.text()

    assert "headgate resume small_shop</code>" in text
    assert "the pipeline is paused" in text


async def test_of_many_operations_the_overview_shows_the_most_stale(hostile, client):
    hostile.sql(
        """
        with added as (
            insert into headgate.operations (provider_id, name, universe, due_rule, due_every)
            select p.provider_id, 'kind_' || n, 'shop', 'every', '1 day'
            from headgate.providers as p
            cross join generate_series(1, 16) as n
            where p.name = 'local'
            returning operation_id, name
        )
        insert into headgate.asset_processing_state (
            operation_id, asset_id, priority, succeeded_at, consecutive_failures
        )
        select n.operation_id, a.asset_id, 50, headgate.clock(), (n.name = 'kind_16')::integer
        from added as n
        cross join headgate.assets as a
        where a.universe = 'shop'
        """
    )
    async with client.get("/") as answer:
        text = await answer.text()

    (freshness,) = re.findall(r'<section id="freshness".*?</section>', text, re.DOTALL)
    assert freshness.count("<tr><th") == 1 + 15
    assert "kind_16" in freshness
    assert "The 15 with the most stale assets of 17" in freshness
