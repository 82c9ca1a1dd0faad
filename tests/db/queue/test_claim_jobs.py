"""A runner asks for work."""

from __future__ import annotations

from tests.db.toy import Toy


def test_a_chunk_is_leased_with_its_requests(toy: Toy):
    assets = toy.add(3)
    toy.begin()

    (chunk,) = toy.claim()
    assert chunk["asset_ids"] == assets
    assert chunk["urls"] == ["/look/A0", "/look/A1", "/look/A2"]
    assert (chunk["lease_no"], chunk["lease_seconds"], chunk["attempt"]) == (1, 300, 1)
    assert toy.units() == (0, 3)
