"""What every page has in common: its headers, its names, its errors."""

from __future__ import annotations

from dataclasses import replace

import aiohttp

from headgate.web import serve


async def test_an_empty_overview_says_what_to_do_next(client):
    async with client.get("/") as answer:
        text = await answer.text()

    assert answer.status == 200
    assert "headgate run PIPELINE" in text


async def test_no_page_of_that_name_says_which_there_are(client):
    async with client.get("/pipelinse") as answer:
        text = await answer.text()

    assert answer.status == 404
    assert "There is no page /pipelinse" in text


async def test_prometheus_reads_the_metrics_in_either_format(client):
    async with client.get("/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert "# TYPE headgate_runners gauge\nheadgate_runners 0.0\n" in await answer.text()
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert answer.content_type == "application/openmetrics-text"
        assert (await answer.text()).endswith("# EOF\n")


async def test_a_page_without_its_database_heals_by_itself(core, clone_for_test):
    missing = replace(core, database=f"{core.database}_later")
    async with (
        serve(missing, host="127.0.0.1", port=0, allowed=()) as address,
        aiohttp.ClientSession(address) as session,
    ):
        async with session.get("/") as answer:
            text = await answer.text()
        assert answer.status == 503
        assert '<meta http-equiv="refresh"' in text
        assert "headgate migrate" in text

        clone_for_test(core, missing.database)
        async with session.get("/") as answer:
            assert answer.status == 200
