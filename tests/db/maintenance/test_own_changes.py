"""Changes logged on another server are adopted; those logged here stay unchanged."""

from __future__ import annotations

from tests.db.toy import Toy


def test_only_changes_of_transactions_to_come_are_taken(toy: Toy):
    toy.sql(
        "create table headgate_changes.dust as select n as cdc_id, x.xid::xid8 as xid"
        " from (values (1, '3'), (2, '9000000000000000000')) as x (n, xid)"
    )
    toy.sql("alter table headgate_changes.dust owner to headgate_owner")
    toy.sql("alter table headgate_changes.dust alter xid set default pg_current_xact_id()")

    assert toy.value("own_changes") == 1
    rows = toy.sql(
        "select xid, pg_current_xact_id() as ours from headgate_changes.dust order by cdc_id"
    )
    assert [x["xid"] for x in rows] == ["3", rows[0]["ours"]]
