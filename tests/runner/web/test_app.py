"""What every page has in common: its headers, its names, its errors."""

from __future__ import annotations


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
