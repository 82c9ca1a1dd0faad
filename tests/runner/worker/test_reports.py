"""Reports hold the results of jobs until they are handed in."""

from __future__ import annotations

from headgate.worker.reports import GroupReport, Report


def test_a_report_in_two_halves_loses_nothing():
    report = Report()
    for n in range(5):
        report.add(n, "success", payload=b"x" * n, requests=n)

    first, rest = report.halves()

    assert (first.asset_ids, rest.asset_ids) == ([0, 1], [2, 3, 4])
    assert first.requests + rest.requests == report.requests
    assert report.size == 10


def test_a_group_has_nothing_to_hand_in_until_an_answer_or_its_end_has_come():
    assert len(GroupReport([1, 2])) == 0
    assert len(GroupReport([1, 2], payloads=[b"{}"])) == 2
    assert len(GroupReport([1, 2], "failed")) == 2
