"""Files of a store `lake`, as other handlers have written them, for handlers that read files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.plan import Plan, Row
from tests.runner.small_plan import insert

INPUT = """
    create function public.raw_files(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, to_fetch bigint[]) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select x.asset_id, array_agg(a.artifact_id order by a.name)
        from headgate.v_assets as x join headgate.v_artifacts as a on a.name like 'raw/' || x.code || '%'
        where x.asset_id = any (p_asset_ids) group by x.asset_id
    $$;
    grant execute on function public.raw_files(jsonb, bigint[]) to headgate_runner;
"""


def artifact(plan: Plan, lake: Path, name: str, content: bytes) -> Path:
    """Write an artifact as a handler would have done."""
    place = lake / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    plan.sql(
        "insert into headgate.artifacts (store, name, key, sha256, bytes, media_type, created_at)"
        " values ('lake', %(name)s, %(name)s, %(sha256)s, %(bytes)s, 'text/csv', headgate.clock())",
        name=name, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content),
    )  # fmt: skip
    return place


def artifacts(plan: Plan) -> dict[str, bytes]:
    """Return the store's contents by name."""
    rows: list[Row] = plan.sql(
        "select name, url from headgate.v_artifacts where name not like 'raw/%'"
    )
    return {x["name"]: Path(x["url"].removeprefix("file://")).read_bytes() for x in rows}


class Raw:
    """A store with raw files."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self.folder = folder

    def put(self, name: str, content: str) -> Path:
        """Put a file into the store."""
        return artifact(self._plan, self.folder, f"raw/{name}", content.encode())

    @classmethod
    def of(cls, plan: Plan, folder: Path) -> Raw:
        """Create the store, and the input function `public.raw_files` of its files."""
        insert(plan, "stores", name="lake", url=f"file://{folder}")
        plan.sql(INPUT)
        return cls(plan, folder)
