"""The ledger forgets files that can be applied again, but not migrations and rows."""

from __future__ import annotations

from tests.plan import Plan
from tests.servers import DB


def test_only_functions_views_and_grants_are_forgotten(db: Plan):
    forgotten = db.value("forget_files")
    left = {x["path"].split("/")[-2] for x in db.call("applied_files") if x["path"].count("/")}

    assert forgotten > 80
    assert left <= {"migrations", "data"} | {x.parent.name for x in DB.glob("plans/*/plan.sql")}
