"""Dashboards are what their Python makes of them, and each query in them has an answer."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.grafana.write import DASHBOARDS, FOLDER, as_json
from headgate.metrics import render
from tests.deploy.alerts import metrics_of, needs, rules
from tests.deploy.alerts import read as read_yaml
from tests.deploy.dashboards import (
    FILES,
    GRAFANA,
    panels,
    promql_of,
    read,
    result,
    scraped,
    sql_of,
    targets,
)
from tests.plan import Plan

SOURCES = {
    x["uid"]: x
    for x in read_yaml(GRAFANA / "provisioning" / "datasources" / "headgate.yml")["datasources"]
}

OF_AIRFLOW = {"AirflowSchedulerDown", "AirflowTaskFailureRate"}
"""Their metrics are Airflow's own: tests/airflow/test_compose_file.py."""


def test_the_files_are_what_the_python_makes():
    assert {x.name for x in FILES} == set(DASHBOARDS)
    for name, dashboard in DASHBOARDS.items():
        written = (FOLDER / name).read_text()
        assert written == as_json(dashboard()), "run: python -m deploy.grafana.write"


def test_no_two_dashboards_or_panels_have_one_name():
    assert len({read(x)["uid"] for x in FILES}) == len({read(x)["title"] for x in FILES}) == 3
    titles = [(name, panel["title"]) for name, panel in panels()]
    assert len(titles) == len(set(titles))


def test_every_query_reads_a_data_source_that_is_provisioned_as_reader_without_a_password():
    for _, panel in panels():
        for target in panel["targets"]:
            assert target["datasource"]["type"] == SOURCES[target["datasource"]["uid"]]["type"]
    database = SOURCES["headgate-postgres"]
    assert database["user"] == "headgate_reader"
    assert re.fullmatch(r"\$\w+", database["secureJsonData"]["password"])


def test_the_lines_of_the_source_are_in_the_executive_s_graph():
    (engagement,) = (y for x, y in panels() if (x, y["title"]) == ("viral", "Engagement"))

    steps = engagement["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [x["value"] for x in steps] == [None, 0.04, 0.055, 0.06]


def test_every_sql_query_has_rows_for_the_reader(night: Plan):
    with night.connection.transaction():
        night.sql("set local role headgate_reader")
        empty = [
            place
            for place, text in targets("rawSql")
            if not night.connection.execute(sql_of(text).encode()).fetchall()
        ]

    assert empty == []


@needs("prometheus", "prometheus")
def test_every_expression_has_a_value(night: Plan, tmp_path: Path):
    _, metrics = render(night.connection)
    with scraped(metrics, tmp_path) as client:
        empty = [place for place, text in targets("expr") if not result(client, promql_of(text))]

    assert empty == []


def test_alerts_and_dashboards_name_no_metric_that_does_not_exist(night: Plan):
    known = {x["name"] for x in night.sql("select name from headgate.v_metrics")}
    known |= {x["name"] for x in night.sql("select name from headgate._metric_names")}
    texts = [text for _, text in targets("expr")]
    texts += [x["expr"] for x in rules() if x["alert"] not in OF_AIRFLOW]

    assert {y for x in texts for y in metrics_of(x)} - known == set()
