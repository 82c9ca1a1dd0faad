"""put_pipeline: the name of a graph; an operator's changes to it are kept."""

from __future__ import annotations

from tests.db.declare.conftest import PIPELINE, Shelf
from tests.db.toy import Toy


def test_a_pipeline_s_description_is_merged(shelf: Shelf):
    shelf.put(PIPELINE)

    assert shelf.put("put_pipeline('shelves', 'Dusts.')")[0] == "changed: description"
    assert shelf.row("pipelines", "shelves")["description"] == "Dusts."


def test_a_paused_pipeline_that_is_declared_again_stays_paused(shelf: Shelf, toy: Toy):
    shelf.put(PIPELINE)
    toy.call("pause_pipeline", p_pipeline="shelves")

    assert shelf.put("put_pipeline('shelves', 'Dusts.')")[0] == "changed: description"
    assert shelf.row("pipelines", "shelves")["is_paused"]


def test_an_invalid_name_is_a_mistake(shelf: Shelf):
    assert "breaks the rule: pipeline name is plain" in shelf.mistakes("put_pipeline('a b')")
    assert "it has no name" in shelf.mistakes("put_pipeline('')")


def test_steps_that_were_there_before_it_was_adopted_go(shelf: Shelf, toy: Toy):
    shelf.put("put_pipeline('plain')", "put_step('plain', 'all', '{look}')", plan="other")

    found = toy.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = 'plain'"
    )
    assert [x["step"] for x in found] == ["all"]


def test_a_pipeline_comes_after_others_of_its_file_or_another_s(shelf: Shelf):
    first = "put_pipeline('shelves', after => '{plain,shop}')"
    assert shelf.put(first, "put_pipeline('shop')")[0] == "created"
    assert shelf.row("pipelines", "shelves")["after"] == ["plain", "shop"]

    assert shelf.put("put_pipeline('shelves')", "put_pipeline('shop')")[0] == "changed: after"


def test_an_unknown_pipeline_before_it_is_a_mistake_with_near_misses(shelf: Shelf):
    said = shelf.mistakes("put_pipeline('shelves', after => '{plian}')")

    assert "pipeline shelves comes after the unknown pipeline 'plian'" in said
    assert "did you mean plain? known pipelines: " in said


def test_pipelines_in_a_circle_are_a_mistake_each(shelf: Shelf):
    said = shelf.mistakes(
        "put_pipeline('a', after => '{c}')",
        "put_pipeline('b', after => '{a}')",
        "put_pipeline('c', after => '{b}')",
        "put_pipeline('d', after => '{d,a}')",
    )

    assert "plan shelf has 4 mistakes" in said
    assert "pipeline a comes after itself, over b, c" in said
    assert "pipeline d comes after itself\n" in said


def test_a_circle_s_mistake_is_told_with_its_place(shelf: Shelf, toy: Toy):
    with shelf.refused() as said:
        shelf.begun()
        toy.sql("select set_config('headgate.place', 'db/plans/shelf/plan.sql:7', true)")
        shelf.run("put_pipeline('shelves', after => '{shelves}')")
        shelf.run("end_plan()")

    assert "db/plans/shelf/plan.sql:7: pipeline shelves comes after itself" in said[0]


def test_a_pipeline_that_is_retired_leaves_no_queued_runs(shelf: Shelf, toy: Toy):
    shelf.put(PIPELINE)
    toy.sql(
        "insert into headgate.queued_runs (pipeline_id, run_id, logical_date, queued_at)"
        " select pipeline_id, 'r1', now(), now() from headgate.pipelines where name = 'shelves'"
    )
    shelf.put("put_pipeline('others')")

    assert toy.sql("select from headgate.v_queued_runs") == []
