"""A provider cannot be renamed: its queues, and the chunks in them, carry its name."""

from __future__ import annotations

from tests.db.toy import Toy


def test_a_provider_cannot_be_renamed_but_described_again(toy: Toy):
    toy.add(3)
    toy.begin()
    with toy.unchanged(), toy.refused("HG008", "provider shop cannot be renamed", "add a provider"):
        toy.sql("update headgate.providers set name = 'store' where name = 'shop'")

    toy.sql("update headgate.providers set name = name, description = 'x' where name = 'shop'")
    assert toy.drain() == 3
