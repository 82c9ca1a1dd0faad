"""put_pipeline: a graph's name; what an operator does to it stays."""

from __future__ import annotations

from tests.db.declare.conftest import PIPELINE, Shelf
from tests.db.toy import Toy


def test_its_description_is_merged(shelf: Shelf):
    shelf.put(PIPELINE)

    assert shelf.put("put_pipeline('shelves', 'Dusts.')")[0] == "changed: description"
    assert shelf.row("pipelines", "shelves")["description"] == "Dusts."


def test_a_paused_one_stays_paused(shelf: Shelf, toy: Toy):
    shelf.put(PIPELINE)
    toy.call("pause_pipeline", p_pipeline="shelves")

    assert shelf.put("put_pipeline('shelves', 'Dusts.')")[0] == "changed: description"
    assert shelf.row("pipelines", "shelves")["is_paused"]


def test_a_name_that_is_none_is_a_mistake(shelf: Shelf):
    assert "breaks the rule: pipeline name is plain" in shelf.mistakes("put_pipeline('a b')")
    assert "it has no name" in shelf.mistakes("put_pipeline('')")


def test_steps_that_were_there_before_it_was_adopted_go(shelf: Shelf, toy: Toy):
    shelf.put("put_pipeline('plain')", "put_step('plain', 'all', '{look}')", plan="other")

    found = toy.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = 'plain'"
    )
    assert [x["step"] for x in found] == ["all"]
