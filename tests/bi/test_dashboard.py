"""Superset's dashboard names what is there: each column exists, each chart finds data."""

from __future__ import annotations

import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import sql

from deploy.superset.show import OURS_URI, pack, secret
from tests.bi.month import write_month
from tests.docs import ROOT
from tests.plan import Plan, Row

FOLDER = ROOT / "deploy" / "superset" / "dashboard"


def documents(part: str) -> dict[str, dict[str, Any]]:
    """Return the documents of a part of the export, by uuid."""
    found = [yaml.safe_load(x.read_text()) for x in sorted(FOLDER.glob(f"{part}/**/*.yaml"))]
    return {x["uuid"]: x for x in found}


DATASETS, CHARTS = documents("datasets"), documents("charts")
(DATABASE,) = documents("databases").values()
(DASHBOARD,) = documents("dashboards").values()


@pytest.fixture
def month(db: Plan) -> Plan:
    """A month of nights, as the reader sees it once the maintenance has run."""
    write_month(db.connection)
    db.sql("set local role headgate_reader")
    return db


def test_each_part_names_the_others():
    parts = [x for x in DASHBOARD["position"].values() if isinstance(x, dict)]
    places = [x["meta"]["uuid"] for x in parts if x["type"] == "CHART"]

    assert sorted(places) == sorted(CHARTS)
    assert {x["dataset_uuid"] for x in CHARTS.values()} == set(DATASETS)
    assert {x["database_uuid"] for x in DATASETS.values()} == {DATABASE["uuid"]}
    assert "@localhost:5432/headgate" in DATABASE["sqlalchemy_uri"], "and no password"


def test_a_dataset_s_columns_are_the_view_s(db: Plan):
    for dataset in DATASETS.values():
        view = f"{dataset['schema']}.{dataset['table_name']}"
        columns = db.sql(
            """
            select a.attname::text as column_name, upper(format_type(a.atttypid, null)) as type,
                a.atttypid in ('date'::regtype, 'timestamptz'::regtype) as is_dttm,
                replace(col_description(a.attrelid, a.attnum), '`', '') as description
            from pg_attribute as a
            where a.attrelid = to_regclass(%(view)s) and a.attnum > 0
            order by a.attnum
            """,
            view=view,
        )

        assert dataset["columns"] == columns, view
        assert dataset["main_dttm_col"] == columns[0]["column_name"]


def test_each_chart_finds_data(month: Plan):
    found = {x["slice_name"]: rows_of(month, x) for x in CHARTS.values()}

    assert {name for name, rows in found.items() if not rows} == set()
    assert {x["reason"] for x in found["Failures by reason"]} == {
        "HTTP 503",
        "no bars in the answer",
        "unknown to the provider",
    }
    assert len(found["Units by day and pipeline"]) >= 28
    prices = [x["fresh"] for x in found["Freshness"] if x["operation"] == "prices_incremental"]
    assert len(prices) == 30 + 1, "the nights, and today"
    assert all(0 < x < 1 for x in prices)
    assert found["Top movers"][0]["change_5_percent"] == max(
        x["change_5_percent"] for x in found["Top movers"]
    )


def test_what_is_imported_here_has_our_address_and_no_other(tmp_path: Path):
    pack(tmp_path / "dashboard.zip")
    with zipfile.ZipFile(tmp_path / "dashboard.zip") as archive:
        names = archive.namelist()
        database = yaml.safe_load(archive.read("dashboard/databases/headgate.yaml"))

    assert len(names) == 2 * 8 + 3
    assert database["sqlalchemy_uri"] == OURS_URI
    assert database["uuid"] == DATABASE["uuid"]


def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path):
    made = secret(tmp_path / "secret_key")

    assert secret(tmp_path / "secret_key") == made
    assert len(made) >= 42
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def rows_of(plan: Plan, chart: dict[str, Any]) -> list[Row]:
    """Run the query that Superset makes of a chart."""
    dataset, params = DATASETS[chart["dataset_uuid"]], chart["params"]
    view = sql.Identifier(dataset["schema"], dataset["table_name"])
    where = sql.SQL(" and ").join(condition(x) for x in params["adhoc_filters"])
    if params.get("query_mode") == "raw":
        columns = sql.SQL(", ").join(map(sql.Identifier, params["all_columns"]))
        query = sql.SQL(
            "select {} from {} where {} order by change_5_percent desc limit {}"
        ).format(columns, view, where, params["row_limit"])
        return plan.connection.execute(query).fetchall()
    by = [params["x_axis"], *params["groupby"]]
    metrics = [
        sql.SQL("{} as {}").format(sql.SQL(x["sqlExpression"]), sql.Identifier(x["label"]))
        for x in params["metrics"]
    ]
    keys = sql.SQL(", ").join(map(sql.Identifier, by))
    query = sql.SQL("select {}, {} from {} where {} group by {} limit {}").format(
        keys, sql.SQL(", ").join(metrics), view, where, keys, params["row_limit"]
    )
    return plan.connection.execute(query).fetchall()


def condition(adhoc: dict[str, Any]) -> sql.Composed:
    """Return a filter of a chart as SQL."""
    subject = sql.Identifier(adhoc["subject"])
    if adhoc["operator"] == "TEMPORAL_RANGE":
        asked = re.fullmatch(
            r'DATEADD\(DATETIME\("now"\), -(\d+), day\) : DATETIME\("now"\)', adhoc["comparator"]
        )
        assert asked
        return sql.SQL("{0} >= {1} - {2} * interval '1 day' and {0} <= {1}").format(
            subject, sql.SQL("headgate.clock()"), int(asked[1])
        )
    if adhoc["operator"] == "IS NOT NULL":
        return sql.SQL("{} is not null").format(subject)
    return sql.SQL("{} {} {}").format(
        subject, sql.SQL(adhoc["operator"]), sql.Literal(adhoc["comparator"])
    )
