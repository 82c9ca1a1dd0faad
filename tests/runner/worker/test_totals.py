"""A runner counts each job once, and each request."""

from __future__ import annotations

from headgate.worker.reports import GroupReport, Report, UniformReport
from headgate.worker.totals import Totals


def test_jobs_are_counted_by_outcome_and_their_requests_with_them():
    totals, report = Totals(), Report()
    report.add(1, "success", requests=1)
    report.add(2, "retry", requests=3)

    totals.count(report, is_last=False)

    assert totals.jobs == {"success": 1, "retry": 1}
    assert totals.requests == 4


def test_a_group_s_jobs_end_with_its_last_report_and_its_requests_count_at_once():
    totals = Totals()

    totals.count(GroupReport([1, 2], payloads=[b"{}"], requests=1), is_last=False)
    assert (totals.jobs, totals.requests) == ({}, 1)
    totals.count(GroupReport([1, 2], payloads=[b"{}"], requests=1), is_last=True)
    assert (totals.jobs, totals.requests) == ({"success": 2}, 2)


def test_jobs_that_all_end_alike_have_no_requests():
    totals = Totals()

    totals.count(UniformReport([1, 2, 3], "deferred"), is_last=True)

    assert (totals.jobs, totals.requests) == ({"deferred": 3}, 0)
