"""A slot's messages come with their places, as often as they are read."""

from __future__ import annotations

from tests.db.maintenance.test_keep_slots import grains, keep
from tests.db.toy import Toy

__all__ = ["grains"]

READ = "select m from headgate.read_slot('dust', pg_current_wal_flush_lsn(), %(most)s) as m"


def test_messages_are_of_the_published_table_only_and_stay(grains: Toy):
    keep(grains)
    grains.sql("create table public.others (n integer)")
    grains.sql("insert into public.others values (1)")
    grains.sql("insert into public.grains values (1), (2)")

    messages = [bytes(x["m"]) for x in grains.sql(READ, most=100)]
    assert b"".join(x[8:9] for x in messages).lstrip(b"BC") == b"RIIC"
    places = [int.from_bytes(x[:8], "big") for x in messages if x[8:9] == b"I"]
    assert places == sorted(places)
    assert [bytes(x["m"]) for x in grains.sql(READ, most=100)] == messages


def test_a_limit_ends_the_changes_after_the_transaction_that_reaches_it(grains: Toy):
    keep(grains)
    for n in (1, 3):
        grains.sql("insert into public.grains values (%(n)s), (%(n)s + 1)", n=n)

    messages = [bytes(x["m"]) for x in grains.sql(READ, most=2)]
    assert b"".join(x[8:9] for x in messages) == b"BRIIC"
