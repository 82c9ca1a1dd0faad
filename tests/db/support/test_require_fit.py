"""A caller of a plan's function first checks that it is still the plan's own, and safe to call."""

from __future__ import annotations

import pytest

from tests.db.toy import Toy


def test_a_fit_function_passes(toy: Toy):
    assert toy.call("require_fit", p_function="toy.keep") == [{"require_fit": ""}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("alter function toy.keep(jsonb, bigint[], text[]) security invoker", "security definer"),
        ("alter function toy.keep(jsonb, bigint[], text[]) reset all", "search_path is not pinned"),
        (
            "alter function toy.keep(jsonb, bigint[], text[]) owner to postgres",
            "belongs to postgres",
        ),
        (
            "create function toy.keep() returns int language sql as 'select 1'",
            "belongs to postgres",
        ),
        (
            "create function toy.keep(text) returns int language sql security definer as 'select 1';"
            "alter function toy.keep(text) owner to headgate_plan_toy",
            "search_path is not pinned",
        ),
        ("drop function toy.keep(jsonb, bigint[], text[])", "does not exist"),
        ("alter schema toy owner to postgres", "which is not a plan's role"),
    ],
)
def test_any_other_is_refused_with_the_reason(toy: Toy, change: str, says: str):
    toy.sql(change)
    with toy.refused("42501", "toy.keep is not called", says, "headgate doctor --fix"):
        toy.call("require_fit", p_function="toy.keep")


def test_airflow_may_call_functions_of_schemas_that_are_not_plans(toy: Toy):
    toy.sql("create function public.hello() returns integer language sql as 'select 1'")
    toy.call("require_fit", p_function="public.hello", p_is_plans=False)
    with toy.refused("42501", "which is not a plan's role"):
        toy.call("require_fit", p_function="public.hello")
