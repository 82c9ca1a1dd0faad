"""set_check: operators decide how a check is judged."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.declare.conftest import Shelf
from tests.db.toy import Toy


@pytest.fixture
def check(toy: Toy) -> Toy:
    toy.sql("delete from headgate.checks")
    Shelf(toy).put("put_check('stock', query => 'select 1')", plan="toy")
    return toy


def test_a_check_is_judged_as_the_operator_says(check: Toy):
    changes = {"error_if": "> 1", "warn_if": None, "hold_for": "1 hour"}
    row = check.row("set_check", p_check="stock", p_changes=changes)

    assert (row["error_if"], row["warn_if"], row["severity"]) == ("> 1", None, "error")
    assert check.value("run_checks")["checks"] == {"stock": {"status": "passed", "value": 1}}
    assert check.sql("select action, changed from headgate.v_operator_actions") == [
        {"action": "set_check", "changed": changes}
    ]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("stick", {}, "unknown check: 'stick'"),
        ("stock", {"query": "select 2"}, "check stock: 'query' cannot be set"),
        ("stock", {"warn_if": "> x"}, "check stock: '> x' compares with nothing"),
    ],
)
def test_invalid_settings_are_refused(check: Toy, name: str, changes: dict[str, str], said: str):
    with pytest.raises(psycopg.Error, match=said), check.connection.transaction():
        check.call("set_check", p_check=name, p_changes=changes)
