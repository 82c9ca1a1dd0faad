"""Logged changes of a table are read as they were written, whatever the writer's settings."""

from __future__ import annotations

from tests.db.declare.conftest import Shelf
from tests.db.declare.test_changes import PLAN
from tests.db.toy import NOON, Toy

READ = """
    select g is not distinct from (c.n, c.size, c.f, c.i, c.r, c.b)::toy.grains as is_same, r.cdc_timestamp, r.cdc_hour
    from toy.grains as g
    cross join headgate.open_changes('dust', 9) as o
    cross join headgate.read_changes(jsonb_build_object('operation', 'dust', 'position', o.position), '{1}') as r
    cross join lateral json_to_record(r.content) as c (%s)
"""


def test_values_come_back_as_they_were(toy: Toy):
    toy.sql(
        "create table toy.grains (n integer primary key, size numeric, f float8, i interval, r tstzrange, b bytea)"
    )
    toy.sql("alter table toy.grains owner to headgate_plan_toy")
    Shelf(toy).put(*PLAN)
    toy.sql("set local extra_float_digits = -5")
    toy.sql("set local intervalstyle = 'sql_standard'")
    toy.sql("set local datestyle = 'SQL, DMY'")
    toy.sql(
        "insert into toy.grains values (1, 12345678901234567890.12, 0.1::float8 + 0.2, '-1 day 2 hours',"
        " '[2026-02-01, 2026-02-03)', '\\x00ff')"
    )
    toy.sql("reset datestyle")
    toy.sql("update headgate_changes.dust set xid = '3'")  # committed long ago
    columns = toy.call("open_changes", p_operation="dust", p_most=9)[0]["columns"]

    assert toy.connection.execute((READ % columns).encode()).fetchall() == [
        {
            "is_same": True,
            "cdc_timestamp": NOON,
            "cdc_hour": "year=2024/month=03/day=05/hour=12",
        }
    ]
