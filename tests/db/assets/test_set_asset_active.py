"""Deactivated assets are in no plan until they are activated again."""

from __future__ import annotations

from tests.db.toy import Toy


def test_an_inactive_asset_is_not_planned_and_keeps_its_state(toy: Toy):
    asset, other = toy.add(2)
    state = toy.state(asset)

    assert toy.value("set_asset_active", p_asset_id=asset, p_is_active=False) == 1
    (planned,) = toy.begin()
    assert planned["planned"] == 1
    assert toy.claim()[0]["asset_ids"] == [other]
    assert toy.state(asset) == state


def test_an_asset_that_is_back_is_planned_again(toy: Toy):
    (asset,) = toy.add(1)
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=True)

    assert toy.begin()[0]["planned"] == 1


def test_a_second_call_changes_nothing(toy: Toy):
    (asset,) = toy.add(1)
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

    assert toy.value("set_asset_active", p_asset_id=asset, p_is_active=False) == 0


def test_an_unknown_asset_is_refused(toy: Toy):
    with toy.refused("HG009", "unknown asset: 0", "v_assets"):
        toy.call("set_asset_active", p_asset_id=0, p_is_active=False)


def test_a_failed_job_of_an_asset_that_was_taken_out_is_not_run_again(toy: Toy):
    (asset,) = toy.add(1)
    toy.begin()
    toy.complete(toy.claim()[0], "failed")
    toy.call("set_asset_active", p_asset_id=asset, p_is_active=False)

    assert toy.row("retry_failed", p_pipeline="plain", p_run_id="r1") == {
        "planned": 0, "sent": 0, "reopened": 0,
    }  # fmt: skip
