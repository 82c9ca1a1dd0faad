"""Reports of handlers' jobs, and of assets whose input, stream or stage fails."""

from __future__ import annotations

import psycopg
import pytest

from headgate.handlers.pool_messages import Done, Job
from headgate.worker.chunks import Handling
from headgate.worker.handler_reports import ended, failed_by, report_of
from headgate.worker.payloads import Unstorable


def test_a_report_shares_the_time_among_its_jobs():
    done = Done([Job(1, "success", None), Job(2, "failed", "it broke")], seconds=0.5)

    report = report_of(done, None)

    assert (report.asset_ids, report.outcomes) == ([1, 2], ["success", "failed"])
    assert (report.durations_ms, report.errors) == ([250, 250], [None, "it broke"])
    assert report.rows is None


def test_rows_without_a_type_go_nowhere():
    row = {
        "context": {},
        "codes": [],
        "watermarks": [],
        "timeout_seconds": 1,
        "max_memory": 1,
        "environment": [],
    }
    done = Done([Job(1, "success", None)], b"rows", [1])

    assert report_of(done, Handling.from_row(row)).rows is None


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (psycopg.errors.InvalidTextRepresentation("no number"), "failed"),
        (psycopg.errors.RaiseException("not this one"), "failed"),
        (psycopg.errors.UndefinedColumn("no such column"), "deferred"),
        (psycopg.OperationalError("the server is gone"), "deferred"),
    ],
)
def test_input_that_cannot_be_read_fails_its_assets_for_bad_data_and_else_defers_them(
    error: psycopg.Error, outcome: str
):
    jobs = failed_by("toy.input", error, [1, 2])

    assert [(x.asset_id, x.outcome) for x in jobs] == [(1, outcome), (2, outcome)]
    assert all(x.error is not None and x.error.startswith("toy.input: ") for x in jobs)


def test_rows_that_cannot_be_stored_fail_and_an_error_of_ours_is_raised():
    (job,) = ended(Unstorable("too long"), None, [1])
    assert (job.outcome, job.error) == ("failed", "too long")

    with pytest.raises(KeyError):
        ended(KeyError("a mistake"), None, [1])
