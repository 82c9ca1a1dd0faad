"""A run's parameters: known, of the right type, defaults filled in (_params.sql)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.db.toy import Toy


def params(toy: Toy, **given: Any) -> dict[str, Any]:
    """Start the library and return the parameters it runs with."""
    toy.start("r1", "library", p_params=given)
    found: dict[str, Any] = toy.scalar("select params from headgate.process_executions")
    return found


def test_defaults_are_filled_in(toy: Toy):
    assert params(toy) == {
        "quota": None, "buffer": None, "max_new": None, "max_updates": None, "new_chunk": None,
        "mode": "auto", "groups": None, "assets": None, "lang": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("quota", 0, 0),
        ("quota", "25", 25),
        ("quota", 999_999_999, 999_999_999),
        ("quota", None, None),
        ("groups", "W", ["W"]),
        ("groups", " W , ,E ", ["W", "E"]),
        ("groups", ["W", "E"], ["W", "E"]),
        ("groups", [], []),
        ("groups", "", []),
        ("groups", None, None),
        ("mode", "new", "new"),
        ("mode", None, "auto"),
        ("lang", "de'; drop table x", "de'; drop table x"),
    ],
)
def test_values_are_read_as_people_and_programs_write_them(
    toy: Toy, name: str, given: Any, kept: Any
):
    toy.add(1, "W", "books")
    toy.add(1, "E", "books")

    assert params(toy, **{name: given})[name] == kept


@pytest.mark.parametrize(
    ("name", "given", "hint"),
    [
        ("quota", -1, "a whole number from 0"),
        ("quota", 1.5, "a whole number from 0"),
        ("quota", "many", "a whole number from 0"),
        ("quota", "", "a whole number from 0"),
        ("quota", True, "a whole number from 0"),
        ("quota", [1], "a whole number from 0"),
        ("quota", 1_000_000_000, "a whole number from 0"),
        ("quota", "１２", "a whole number from 0"),  # noqa: RUF001
        ("mode", "fast", "one of: auto, known, new"),
        ("mode", 1, "one of: auto, known, new"),
        ("mode", ["new"], "one of: auto, known, new"),
        ("groups", True, "a list of texts"),
        ("groups", {"W": 1}, "a list of texts"),
        ("groups", [1], "a list of texts"),
        ("groups", [["W"]], "a list of texts"),
        ("assets", [None], "a list of texts"),
        ("lang", 3, "give a text"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_right(toy: Toy, name: str, given: Any, hint: str):
    toy.add(1, "W", "books")

    with toy.unchanged(), toy.refused("HG008", f"parameter {name}", hint):
        params(toy, **{name: given})


def test_an_unknown_parameter_is_refused_with_those_there_are(toy: Toy):
    with toy.unchanged(), toy.refused("HG007", "library has no parameter 'qota'", "quota"):
        params(toy, qota=1)


def test_a_group_that_does_not_exist_is_refused_with_those_that_do(toy: Toy):
    toy.add(1, "W", "books", attributes={"exchange": "NYSE"})

    with toy.unchanged(), toy.refused("HG006", "no group 'NYS'", "its groups: W"):
        params(toy, groups=["NYSE", "NYS"])


def test_an_asset_that_does_not_exist_or_is_ambiguous_is_refused(toy: Toy):
    toy.upsert([{"code": x, "group_key": "W"} for x in ("A.X", "A.Y")], universe="books")

    with toy.unchanged(), toy.refused("HG009", "'B'"):
        params(toy, assets=["A.X", "B"])
    with toy.unchanged(), toy.refused("HG010", "A.X, A.Y"):
        params(toy, assets="A")


@pytest.mark.parametrize("given", ["[]", '"quota"', "5", "null"])
def test_parameters_are_an_object(toy: Toy, given: str):
    with toy.refused("HG008", "parameters must be an object"):
        toy.sql(
            "select * from headgate.start_execution('library', 'r1', null, %(given)s::jsonb)",
            given=given,
        )


def test_no_parameters_are_the_defaults(toy: Toy):
    toy.sql("select * from headgate.start_execution('library', 'r1', null, null)")

    assert toy.scalar("select params ->> 'mode' from headgate.process_executions") == "auto"


LOOSE = "delete from headgate.pipeline_steps where step = 'sum'"


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"groups": ["Z"]}, "group 'Z'"),
        ({"groups": ["W", "Z"]}, "group 'Z'"),
        ({"groups": ["zoo"]}, "group 'zoo'"),
        ({"assets": ["Z1"]}, "'Z1' (group 'Z')"),
        ({"assets": ["W0", "Z0"]}, "'Z0' (group 'Z')"),
    ],
)
def test_groups_that_no_step_covers_are_refused_with_a_hint(
    toy: Toy, given: dict[str, Any], left_out: str
):
    toy.sql(LOOSE)
    toy.add(1, "W", "books")
    toy.add(2, "Z", "books", attributes={"exchange": "zoo"})

    message = f"no step of pipeline library covers {left_out}"
    with toy.unchanged(), toy.refused("HG006", message, "headgate.cover_groups"):
        params(toy, **given)
    toy.call("cover_groups", p_pipeline="library", p_step="east", p_group_keys=["Z"])
    assert params(toy, **given)


def test_a_plan_s_own_advice_is_given(toy: Toy):
    toy.sql(LOOSE)
    toy.sql(
        "update headgate.pipeline_parameters set meanings = meanings || "
        """'{"advice": "ask the librarian"}' where effect = 'groups'"""
    )
    toy.add(1, "Z", "books")

    with toy.refused("HG006", "covers group 'Z'", "ask the librarian"):
        params(toy, groups=["Z"])


def typed(toy: Toy, kind: str, given: Any) -> Any:
    """Give the library a parameter `x` of this type, for requests, and return its value in a run."""
    toy.sql(
        "insert into headgate.pipeline_parameters (pipeline_id, name, type, effect)"
        " select pipeline_id, 'x', %(kind)s, 'request' from headgate.pipelines where name = 'library'",
        kind=kind,
    )
    return params(toy, x=given)["x"]


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("number", 0.06, 0.06),
        ("number", "-1.5e3", -1500),
        ("number", 7, 7),
        ("number", None, None),
        ("boolean", True, True),
        ("boolean", "false", False),
        ("json", {"a": [1, None]}, {"a": [1, None]}),
        ("json", [1], [1]),
        ("json", "text", "text"),
    ],
)
def test_numbers_truth_values_and_documents_keep_their_type(
    toy: Toy, kind: str, given: Any, kept: Any
):
    assert typed(toy, kind, given) == kept


@pytest.mark.parametrize(
    ("kind", "given", "hint"),
    [
        ("number", "much", "give a number"),
        ("number", True, "give a number"),
        ("number", "NaN", "give a number"),
        ("number", [1], "give a number"),
        ("boolean", 1, "give true or false"),
        ("boolean", "yes", "give true or false"),
    ],
)
def test_invalid_values_are_refused(toy: Toy, kind: str, given: Any, hint: str):
    with toy.refused("HG008", "parameter x", hint):
        typed(toy, kind, given)


def test_a_body_has_a_number_as_a_number(toy: Toy):
    toy.add(1, "W", "books")
    toy.tune("open", method="POST", body={"limit": "{param.x}", "text": "{param.x}!"})
    typed(toy, "number", 0.06)
    toy.check(pipeline="library")
    toy.enqueue("west", pipeline="library")
    bodies = [x["bodies"][0] for x in toy.claim(chunks=5) if x["operation"] == "open"]

    assert [json.loads(x) for x in bodies] == [{"limit": 0.06, "text": "0.06!"}]
