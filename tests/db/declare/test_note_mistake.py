"""note_mistake adds PostgreSQL's own errors to a plan's mistakes."""

from __future__ import annotations

from tests.db.declare.conftest import ALL, PIPELINE, PROVIDER, STEP, Shelf
from tests.db.toy import Toy


def noted(toy: Toy, message: str, statement: str = "", hint: str | None = None) -> None:
    toy.call("note_mistake", p_message=message, p_hint=hint, p_statement=statement)


def test_a_noted_mistake_is_reported_with_the_others(shelf: Shelf, toy: Toy):
    with shelf.refused() as said:
        shelf.begun(*ALL)
        noted(toy, "syntax error", hint="look again")
        shelf.run("end_plan()")

    assert "plan shelf has a mistake:\nsyntax error\n    hint: look again" in said[0]


def test_the_closest_name_of_a_misspelt_argument_is_told(shelf: Shelf, toy: Toy):
    with shelf.refused() as said:
        shelf.begun()
        noted(
            toy,
            "function headgate.put_step(unknown, unknown, operation => unknown) does not exist",
        )
        noted(toy, "function headgate.put_stap(unknown) does not exist")
        shelf.run("end_plan()")

    assert "did you mean operations? arguments: cache, condition, depends_on" in said[0]
    assert "did you mean put_step or put_store?" in said[0]


def test_a_mention_of_the_object_is_not_a_second_mistake(shelf: Shelf, toy: Toy):
    with shelf.refused() as said:
        shelf.begun(PROVIDER)
        noted(toy, "it is wrong", "select headgate.put_operation('dust', 'tomes', deu => 'once')")
        shelf.run(PIPELINE)
        shelf.run(STEP)
        shelf.run("put_operation('wax', 'tomes', due => 'after dust')")
        shelf.run("end_plan()")

    assert said[0].startswith("plan shelf has a mistake:\nit is wrong\n")
