"""Renaming: an asset gets another code."""

from __future__ import annotations

from tests.db.toy import Toy


def test_an_asset_keeps_its_state_under_another_code(toy: Toy):
    (asset,) = toy.add(1)
    before = toy.state(asset)

    assert toy.value("rename_asset", p_asset_id=asset, p_code="NEW") == 1
    assert toy.value("rename_asset", p_asset_id=asset, p_code="NEW") == 0
    assert toy.scalar("select asset_id from headgate.assets where code = 'NEW'") == asset
    assert toy.state(asset) == before


def test_another_asset_s_code_is_refused(toy: Toy):
    asset, _ = toy.add(2)

    with toy.refused("HG008", "'A1' is another asset's", "rename that one first"):
        toy.call("rename_asset", p_asset_id=asset, p_code="A1")


def test_an_unknown_asset_is_refused(toy: Toy):
    with toy.refused("HG009", "unknown asset: 0", "v_assets"):
        toy.call("rename_asset", p_asset_id=0, p_code="X")
