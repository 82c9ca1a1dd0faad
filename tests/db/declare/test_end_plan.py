"""end_plan retires what a file no longer declares, and reports all mistakes at once."""

from __future__ import annotations

import pytest

from tests.db.declare.conftest import ALL, OPERATION, PIPELINE, PROVIDER, STEP, Shelf
from tests.db.toy import Toy

OTHER = (
    "put_operation('wax', 'tomes', due => 'once', provider => 'shelf', units => 1,"
    " request => 'GET /wax/{asset.code}', ingest_function => 'toy.keep')"
)
LOCAL = "put_operation('{}', 'tomes', due => 'every 1 day', ingest_function => 'toy.keep')"
DUST, WAX = LOCAL.format("dust"), LOCAL.format("wax")
BOTH = "put_step('shelves', 'all', operations => '{dust,wax}')"


def test_a_step_and_a_parameter_that_are_gone_from_the_file_are_gone(shelf: Shelf):
    shelf.put(
        *ALL,
        "put_step('shelves', 'more', operations => '{dust}', depends_on => '{all}')",
        "put_parameter('shelves', 'most', 'quota')",
    )

    assert shelf.put(*ALL)[-1] == (
        "retired: pipeline shelves, parameter most; pipeline shelves, step more"
    )
    found = shelf.toy.sql(
        "select s.step from headgate.pipeline_steps as s join headgate.pipelines as p"
        " using (pipeline_id) where p.name = 'shelves'"
    )
    assert [x["step"] for x in found] == ["all"]


def test_objects_without_history_are_deleted(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER, OPERATION, OTHER, PIPELINE, BOTH)
    toy.call("check_plans")
    toy.add(2, universe="tomes")
    shelf.put(*ALL)

    assert shelf.row("operations", "wax") == {}
    assert shelf.put()[-1].startswith("retired: ")
    assert shelf.row("providers", "shelf") == shelf.row("pipelines", "shelves") == {}
    toy.call("check_plans")


@pytest.fixture
def running(shelf: Shelf, toy: Toy) -> Shelf:
    """Declare the plan, and start a run with work for one of its two operations."""
    shelf.put(DUST, WAX, PIPELINE, BOTH)
    toy.call("check_plans")
    toy.add(1, universe="tomes")
    toy.sql(
        "update headgate.asset_processing_state set next_due_at = null where operation_id ="
        " (select operation_id from headgate.operations where name = 'wax')"
    )
    toy.start("r1", "shelves")
    toy.enqueue("all", "r1", "shelves")
    return shelf


def test_objects_with_history_are_retired_and_keep_it(running: Shelf, toy: Toy):
    toy.drain()
    toy.finish("r1", "shelves")
    state = (
        "select s.* from headgate.asset_processing_state as s"
        " join headgate.operations as o using (operation_id) where o.name = 'dust'"
    )
    before = toy.sql(state)
    running.put()

    assert running.row("operations", "dust")["is_retired"]
    assert running.row("pipelines", "shelves")["is_retired"]
    assert running.row("operations", "wax") == {}
    assert toy.sql("select 1 from headgate.v_asset_processing_history where operation = 'dust'")
    assert toy.sql("select 1 from headgate.v_pipelines where pipeline = 'shelves'") == []
    assert toy.sql(state)[0] | {"next_due_at": None} == before[0] | {"next_due_at": None}
    toy.call("check_plans")
    with toy.refused("HG001", "pipeline shelves is retired"):
        toy.start("r2", "shelves")

    assert running.put(DUST, PIPELINE, STEP)[0] == "changed: is_retired"
    assert toy.sql(state) == before


def test_an_operation_with_chunks_in_flight_is_not_retired_and_says_which(running: Shelf, toy: Toy):
    said = running.mistakes(WAX, PIPELINE, BOTH.replace("dust,", ""))

    assert "operation dust is no longer declared, but 1 chunk is in flight, of shelves/r1" in said
    assert "or end it in psql by headgate.cancel_execution" in said
    assert not running.row("operations", "dust")["is_retired"]


def test_a_pipeline_under_way_is_not_retired(running: Shelf, toy: Toy):
    toy.drain()

    assert "pipeline shelves is no longer declared, but r1 is under way" in running.mistakes(DUST)
    assert not running.row("pipelines", "shelves")["is_retired"]


def test_all_mistakes_are_reported_at_once_each_with_its_hint(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        "put_operation('dust', 'tomes', due => 'evry 1 day', provider => 'shelf', chunk_size => 0)",
        "put_operation('wax', 'tomes', due => 'once', provider => 'shelv', request => 'wax')",
        "put_operation('gild', 'tomes', due => 'after wax, glue', ingest_function => 'toy.kep')",
        "put_operation('air', 'tomes', due => 'once', provider => 'shelf',"
        " request => 'GET /air/{asset.code}?n={param.non?}', ingest_function => 'toy.keep')",
        PIPELINE,
        "put_step('shelves', 'all', operations => '{dust,wrax,air}', max_failed_share => 2)",
        "put_step('shelves', 'next', operations => '{air}', depends_on => '{al}')",
        "put_step('shelves', 'last', operations => '{air}', depends_on => '{nextt}')",
        "put_parameter('shelfs', 'most', 'quota')",
        "put_parameter('shelves', 'least', 'quotta')",
    )

    lines = [x for x in said.splitlines() if not x.startswith("    hint: ")]
    assert lines[0] == "plan shelf has 12 mistakes:"
    for nth, expected in enumerate(
        (
            "operation dust: due cannot be 'evry 1 day'",
            "operation dust breaks the rule: chunk size in range",
            "operation wax: malformed request: 'wax'",
            "operation wax: unknown provider 'shelv'",
            "operation gild: unknown operation 'glue'",
            "pipeline shelves, step all: unknown operation 'wrax'",
            "pipeline shelves, step all breaks the rule: max failed share is a share",
            "pipeline shelves, step next: depends on unknown step 'al'",
            "pipeline shelves, step last: depends on unknown step 'nextt'",
            "pipeline shelfs, parameter most: unknown pipeline 'shelfs'",
            "pipeline shelves, parameter least breaks the rule: effect is known",
            "operation air: its template names the missing field {param.non}",
        ),
        start=1,
    ):
        assert expected in lines[nth], said
    for near in ("every", "shelf", "shelves", "wax", "all"):
        assert f"did you mean {near}?" in said, said
    assert shelf.row("providers", "shelf") == {}


def test_a_function_that_is_not_there_is_a_mistake(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        OPERATION.replace("toy.keep", "toy.kep"),
        PIPELINE,
        "put_step('shelves', 'all', function => 'toy.nothing')",
    )

    assert "operation dust: no function toy.kep(jsonb, bigint[], text[])" in said
    assert "step all: no function toy.nothing(p_pipeline text, p_run_id text, ...)" in said


def test_a_mistake_names_the_place_that_is_known(shelf: Shelf, toy: Toy):
    toy.sql("select set_config('headgate.place', 'db/plans/shelf/plan.sql:7', true)")

    assert "db/plans/shelf/plan.sql:7: pipeline shelves, step all: unknown" in shelf.mistakes(
        PIPELINE, STEP
    )
    toy.sql("select set_config('headgate.place', '', true)")


def test_without_a_plan_there_is_not_an_end(shelf: Shelf):
    with shelf.refused() as said:
        shelf.run("end_plan()")

    assert "no plan has begun" in said[0]


def test_a_plan_that_is_declared_in_psql_has_work_at_once(shelf: Shelf, toy: Toy):
    toy.add(2, universe="tomes")
    shelf.put(*ALL, "put_step('shelves', 'ping', provider => 'shelf', request => 'GET /ping')")

    due = toy.call("explain_plan", p_pipeline="shelves")
    assert sorted(x["operation"] for x in due) == ["dust", "dust", "shelves_ping"]
    queues = toy.sql("select queue_name from pgmq.meta where queue_name like 'shelf%%'")
    assert len(queues) == 3
