"""put_rule: rules for answers, in the order of the file, before the default rules."""

from __future__ import annotations

from tests.db.declare.conftest import PROVIDER, Shelf
from tests.db.toy import Toy

OK = "put_rule('shelf', '200', 'success', 'data', content_type => 'json')"
OURS = "put_rule('shelf', '401', 'deferred', 'no token', fault => 'internal', blocks => 'execution', charged => false)"
RULES = """
    select status, outcome, fault, blocks, charged from headgate.v_response_rules
    where provider = 'shelf' and not is_usual order by position
"""


def test_rules_are_tried_in_the_order_of_the_file(shelf: Shelf, toy: Toy):
    assert shelf.put(PROVIDER, OURS, OK)[1:3] == ["created", "created"]
    ours, ok = toy.sql(RULES)

    assert (ours["status"], ours["fault"], ours["blocks"]) == ("401", "internal", "execution")
    assert (ours["charged"], ok["charged"]) == (False, True)


def test_a_rule_that_is_gone_moves_the_others_up(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER, OURS, OK)
    results = shelf.put(PROVIDER, OK)

    assert results[1].startswith("changed: ") and results[2] == "retired: provider shelf, rule 2"
    assert [x["status"] for x in toy.sql(RULES)] == ["200"]


def test_a_provider_without_rules_has_the_usual_ones(shelf: Shelf, toy: Toy):
    shelf.put(PROVIDER)

    assert toy.sql(RULES) == []
    assert (
        toy.scalar("select count(*) from headgate.v_response_rules where provider = 'shelf'") == 13
    )


def test_each_wrong_rule_is_named_by_its_number(shelf: Shelf):
    said = shelf.mistakes(
        PROVIDER,
        OK,
        "put_rule('shelf', '2xx', 'sucess', 'data')",
        "put_rule('shelf', '200', 'success', 'data', fault => 'me')",
        "put_rule('shell', '200', 'success', 'data')",
    )

    assert "provider shelf, rule 2 breaks the rule: status is readable" in said
    assert "provider shelf, rule 2 breaks the rule: rule outcome is known" in said
    assert "provider shelf, rule 3 breaks the rule: rule fault is known" in said
    assert "provider shell, rule 1: unknown provider 'shell'" in said
    assert "did you mean shelf?" in said
