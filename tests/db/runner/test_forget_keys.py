"""forget_keys ends the removal that test_remove_keys.py covers."""

from __future__ import annotations

from tests.db.toy import Toy


def test_a_store_s_keys_are_its_own(toy: Toy):
    toy.sql("insert into headgate.stores (name, url) values ('a', 'file:///a'), ('b', 'file:///b')")
    for store in ("a", "b"):
        toy.call("remove_keys", p_store=store, p_keys=["key"])
    toy.call("forget_keys", p_store="a", p_keys=["key"])

    assert toy.sql("select store from headgate.removed_keys") == [{"store": "b"}]
