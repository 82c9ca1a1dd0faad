"""[O11]: changes of onpoint's posts go to hourly files, each change once, including late commits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet

from headgate.database import connect
from headgate.settings import Settings
from tests.acceptance.onpoint.conftest import DATA, Lake

EXPORT = "onpoint_changes"


def changes(lake: Lake) -> dict[str, Counter[tuple[str, Any]]]:
    """Return the contents of each hour's files: operation and post."""
    found: dict[str, Counter[tuple[str, Any]]] = {}
    for row in lake.plan.sql(
        "select url from headgate.v_artifacts where operation = 'onpoint_posts_changes'"
    ):
        path = Path(row["url"].removeprefix("file://"))
        table = pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
        hour = found.setdefault("/".join(path.parts[-5:-1]), Counter())
        hour.update((x["operation"], x["id"]) for x in table)
        assert {x["cdc_timestamp"].hour for x in table} == {int(path.parts[-2][-2:])}
    return found


async def test_o11_each_change_is_exported_once_into_its_hour(lake: Lake, small_database: Settings):
    await lake.run(DATA, max_stories=3)
    await lake.run(EXPORT)
    day = "year=2025/month=10/day=15"
    loaded = Counter(("insert", number) for number in range(1, 101))
    tables = lake.plan.sql(
        "select split_part(name, '/', 2) as name, sum(rows) as rows from headgate.v_artifacts"
        " where name like 'changes/%%' group by 1"
    )
    assert {x["name"]: x["rows"] for x in tables} == lake.tables()
    assert changes(lake) == {f"{day}/hour=12": loaded}

    with connect(small_database, "test", autocommit=False) as late:
        late.execute("set headgate.clock_frozen = '2025-10-15 13:59:59+00'")
        late.execute("update onpoint.posts set title = 'late' where id = 1")
        lake.plan.freeze_clock("2025-10-15 14:00:00+00")
        lake.plan.sql("delete from onpoint.posts where id = 2")
        lake.plan.sql("update onpoint.posts set id = 1000 where id = 3")
        await lake.run(EXPORT)
        late.commit()
    for minute in (1, 2):  # a run is named by its time
        lake.plan.freeze_clock(f"2025-10-15 14:0{minute}:00+00")
        await lake.run(EXPORT)

    assert changes(lake) == {
        f"{day}/hour=12": loaded,
        f"{day}/hour=13": Counter({("update", 1): 1}),
        f"{day}/hour=14": Counter({("delete", 2): 1, ("delete", 3): 1, ("insert", 1000): 1}),
    }
