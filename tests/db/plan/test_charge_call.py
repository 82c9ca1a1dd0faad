"""charge_call: the units of a call outside any run are charged before the call, as used elsewhere."""

from __future__ import annotations

from tests.db.toy import Toy

WINDOW = "select used_elsewhere, spent, reserved from headgate.v_quota where provider = 'shop'"


def test_a_call_s_units_are_used_elsewhere_and_the_plan_has_less(toy: Toy):
    toy.add(100)

    row = toy.row("charge_call", p_operation="open")

    assert row == {"provider": "shop", "units": 10, "remaining": 90}
    assert toy.sql(WINDOW) == [{"used_elsewhere": 10, "spent": 0, "reserved": 0}]
    toy.begin()
    assert toy.sql(WINDOW) == [{"used_elsewhere": 10, "spent": 0, "reserved": 90}]
    toy.assert_ledger_balances()


def test_the_providers_own_count_takes_them_over(toy: Toy):
    toy.row("charge_call", p_operation="open")

    toy.call("reconcile_quota", p_provider="shop", p_reported=10, p_reported_on="2024-03-05")

    assert toy.sql(WINDOW) == [{"used_elsewhere": 10, "spent": 0, "reserved": 0}]


def test_a_call_beyond_the_window_is_refused(toy: Toy):
    toy.provider("shop", quota=9)

    with toy.refused("HG008", "costs 10, and the window of shop has fewer left"):
        toy.row("charge_call", p_operation="open")


def test_a_blocked_provider_is_not_called(toy: Toy):
    toy.provider("shop", blocked_until="2024-03-06T00:00:00Z")

    with toy.refused("HG008", "provider shop is blocked", "v_provider_health"):
        toy.row("charge_call", p_operation="look")


def test_a_provider_without_a_quota_has_nothing_to_count(toy: Toy):
    row = toy.row("charge_call", p_operation="peek")

    assert row == {"provider": "side", "units": 0, "remaining": None}


def test_an_unknown_operation_is_refused_with_similar_names(toy: Toy):
    with toy.refused("HG004", "did you mean open?"):
        toy.row("charge_call", p_operation="opne")
