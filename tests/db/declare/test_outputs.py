"""put_operation(..., outputs => ...): names with JSON paths; an invalid path is named in the error."""

from __future__ import annotations

from tests.db.declare.conftest import OPERATION, PIPELINE, PROVIDER, STEP, Shelf


def with_outputs(outputs: str) -> tuple[str, ...]:
    return (PROVIDER, OPERATION[:-1] + f", outputs => '{outputs}')", PIPELINE, STEP)


def test_outputs_are_kept_as_they_are_declared(shelf: Shelf):
    shelf.put(*with_outputs('{"ms": "$.duration_ms"}'))

    found = shelf.toy.scalar("select outputs from headgate.operations where name = 'dust'")
    assert found == {"ms": "$.duration_ms"}


def test_a_value_that_is_not_a_json_path_is_named(shelf: Shelf):
    said = shelf.mistakes(*with_outputs('{"ms": "duration_ms"}'))

    assert "operation dust: output ms is not a JSON path: 'duration_ms'" in said


def test_outputs_are_an_object_of_texts(shelf: Shelf):
    for outputs in ('["$.a"]', '{"a": 1}', "{}"):
        assert "outputs" in shelf.mistakes(*with_outputs(outputs))


def test_outputs_are_of_a_call(shelf: Shelf):
    said = shelf.mistakes(
        "put_operation('sum_up', 'tomes', due => 'every 1 day', ingest_function => 'toy.keep',"
        """ outputs => '{"a": "$.body"}')""",
        PIPELINE,
        STEP.replace("dust", "sum_up"),
    )
    assert "outputs are of a call for one asset" in said
