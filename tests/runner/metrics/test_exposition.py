"""The metrics as Prometheus and OpenMetrics read them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from headgate.metrics import OPENMETRICS, render
from tests.plan import Plan

HOSTILE = 'a "quoted" \\group\nof two lines é \u202e'
Parse = Callable[[str], Iterable[Metric]]


@pytest.fixture
def night(db: Plan) -> Plan:
    """What a night leaves: jobs that ended, a run that failed, and a group with a hostile name."""
    db.sql(
        "insert into headgate.job_counts (operation_id, status, jobs, requests, retries, units, duration_ms, le_10s, le_1min, le_5min)"
        " select o.operation_id, s.status, 7, 9, 2, 90, 50000, 4, 5, 6 from headgate.operations as o"
        " cross join (values ('success'), ('failed'), ('deferred')) as s (status)"
    )
    db.sql(
        "insert into headgate.process_executions (pipeline_id, run_id, driver, started_at)"
        " select pipeline_id, 'night', 'headgate', headgate.clock() from headgate.pipelines"
    )
    db.sql(
        "update headgate.process_executions set status = 'failed', finished_at = started_at + interval '1 hour'"
    )
    db.sql(
        "update headgate.assets set group_key = %(group)s where asset_id = (select min(asset_id) from headgate.assets)",
        group=HOSTILE,
    )
    return db


def samples(metrics: Iterable[Metric]) -> dict[tuple[str, Any], float]:
    """Return the value of each sample, by name and labels."""
    return {(x.name, tuple(sorted(x.labels.items()))): x.value for y in metrics for x in y.samples}


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", prometheus),
        ("text/html;version=nothing, */*", "text/plain; version=0.0.4; charset=utf-8", prometheus),
        (
            "text/plain;q=0.5," + OPENMETRICS,
            "application/openmetrics-text; version=1.0.0",
            openmetrics,
        ),
    ],
)
def test_every_sample_of_the_view_is_read_back_in_either_format(
    night: Plan, accept: str, content_type: str, parse: Parse
):
    rows = night.sql("select * from headgate.v_metrics")
    found, text = render(night.connection, accept)

    assert found.startswith(content_type)
    assert samples(parse(text.decode())) == {
        (x["name"], tuple(sorted(x["labels"].items()))): pytest.approx(x["value"], rel=1e-3)
        for x in rows
    }
    assert any(HOSTILE in x["labels"].values() for x in rows)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_has_no_complaint(night: Plan):
    _, text = render(night.connection)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)

    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
