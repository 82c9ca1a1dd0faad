"""An answer's meaning follows the provider's rules, and no pattern can keep a runner busy."""

from __future__ import annotations

import time

import pytest

from headgate.errors import WrongPlan
from headgate.worker.patterns import compile_pattern
from headgate.worker.rules import Answer, Block, compile_rules, seconds_to_wait

OK = {"status": "200", "outcome": "success", "fault": "item", "reason": "ok"}


def judge(rows, status, body=b"", **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return compile_rules(rows).judge(Answer(status, fields, body))


def test_the_first_rule_that_fits_decides():
    rows = [
        {
            "status": "200",
            "body": "limit",
            "outcome": "deferred",
            "fault": "provider",
            "reason": "a",
        },
        OK,
        {"status": "*", "outcome": "failed", "fault": "item", "reason": "b"},
    ]

    assert judge(rows, "200", b"your limit is reached").outcome == "deferred"
    assert judge(rows, "200", b"[]").outcome == "success"
    assert judge(rows, "404").reason == "b"


def test_an_answer_without_a_matching_rule_is_the_providers_fault_and_retried():
    outcome = judge([OK], "418")

    assert (outcome.outcome, outcome.fault) == ("retry", "provider")


@pytest.mark.parametrize(
    ("status", "seen", "fits"),
    [
        ("200", "200", True),
        ("200", "201", False),
        ("500-599", "500", True),
        ("500-599", "599", True),
        ("500-599", "499", False),
        ("500-599", "error:timeout", False),
        ("error:timeout", "error:timeout", True),
        ("*", "error:cut", True),
        ("*", "302", True),
    ],
)
def test_a_status_is_one_a_range_a_failure_or_any(status, seen, fits):
    outcome = judge([{"status": status, "outcome": "skipped", "reason": "it fits"}], seen)

    assert (outcome.reason == "it fits") is fits


def test_content_type_and_body_are_patterns():
    rows = [{"status": "200", "content_type": "^text/html", "outcome": "retry", "reason": "a page"}]

    assert judge(rows, "200", content_type="Text/HTML; charset=utf-8").reason == "a page"
    assert judge(rows, "200", content_type="application/json").reason != "a page"
    assert judge(rows, "200").reason != "a page"


def test_only_the_start_of_a_body_is_searched():
    rows = [{"status": "*", "body": "needle", "outcome": "failed", "reason": "found"}]

    assert judge(rows, "200", b" " * 65_000 + b"needle").reason == "found"
    assert judge(rows, "200", b" " * 66_000 + b"needle").reason != "found"


def test_bytes_that_are_not_text_can_still_be_judged():
    rows = [{"status": "*", "body": "limit", "outcome": "failed", "reason": "found"}]

    assert judge(rows, "200", b"\xff\xfe\x00limit").reason == "found"


JSON_ONLY = {
    "status": "200",
    "content_type": "json",
    "outcome": "success",
    "fault": "item",
    "reason": "data",
}
NO_JSON = {"status": "200-399", "outcome": "retry", "fault": "provider", "reason": "no JSON"}


@pytest.mark.parametrize("status", ["204", "205", "304"])
def test_a_provider_that_has_nothing_is_at_no_fault_unless_a_rule_names_the_status(status):
    named = {"status": status, "outcome": "failed", "fault": "item", "reason": "named"}
    anything = {"status": "*", "outcome": "failed", "fault": "provider", "reason": "anything"}

    assert judge([JSON_ONLY, NO_JSON, anything], status).outcome == "skipped"
    assert judge([], status).fault == "item"
    assert judge([NO_JSON, named], status).reason == "named"


def test_an_empty_answer_fits_a_success_by_its_status_and_lacks_what_that_expects():
    anything = {"status": "200-299", "outcome": "success", "fault": "item", "reason": "taken"}

    assert judge([JSON_ONLY, NO_JSON], "200").reason == "the answer is empty"
    assert judge([{**OK, "body": "data"}, NO_JSON], "200").fault == "item"
    assert judge([anything], "204").reason == "taken"
    assert judge([{**JSON_ONLY, "status": "200-299"}], "204").outcome == "skipped"
    assert judge([{"status": "404", "outcome": "failed", "reason": "x"}], "202").fault == "item"


def test_an_empty_answer_of_another_status_is_judged_as_ever():
    assert judge([OK], "500").fault == "provider"
    assert judge([JSON_ONLY, NO_JSON], "302").reason == "no JSON"


def test_a_rule_that_looks_for_emptiness_finds_it():
    empty = {
        "status": "200",
        "body": r"^\s*$",
        "outcome": "deferred",
        "fault": "provider",
        "reason": "e",
    }

    assert judge([empty, JSON_ONLY], "200").reason == "e"
    assert judge([empty, JSON_ONLY], "200", b"[]", content_type="application/json").reason == "data"


def test_the_status_shows_whether_an_answer_can_be_a_payload():
    rules = compile_rules([NO_JSON, JSON_ONLY, {**OK, "status": "201-299"}])

    assert [rules.may_succeed(x) for x in ("200", "204", "404", "error:cut")] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("blocks", "block"),
    [
        ("reset", Block("reset", None, "no more")),
        ("execution", Block("execution", None, "no more")),
        ("90 seconds", Block("for", 90.0, "no more")),
        ("retry_after", Block("retry_after", 17.0, "no more")),
        (None, None),
    ],
)
def test_a_rule_may_close_the_provider(blocks, block):
    rows = [
        {
            "status": "429",
            "outcome": "retry",
            "fault": "provider",
            "reason": "no more",
            "blocks": blocks,
        }
    ]

    assert judge(rows, "429", retry_after="17").block == block


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("1.5", 1.5),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("Wed, 99 Oct 2026 07:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert seconds_to_wait(header, "Wed, 21 Oct 2026 07:28:00 GMT") == seconds


def test_a_date_without_the_answers_own_date_says_nothing_for_a_runners_clock_may_be_wrong():
    assert seconds_to_wait("Wed, 21 Oct 2026 07:28:30 GMT") is None


def test_equal_rows_are_compiled_once():
    assert compile_rules([dict(OK)]) is compile_rules([dict(OK)])


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|aa)+", "(.*a){12}", "(?:x?)*", r"(\w)\1", "a.*b.*c.*d", "(((", "[z-a]"],
)
def test_a_pattern_that_could_run_for_ever_is_refused(pattern):
    with pytest.raises(WrongPlan) as caught:
        compile_rules([{"status": "*", "body": pattern, "outcome": "failed", "reason": "x"}])

    assert repr(pattern) in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        "exceeded your daily",
        "(?i)<title>.*limit",
        r'"error"\s*:\s*"',
        "a.*b",
        "a[^x]*b.*c",
        ".{0,200}x",
        r"^\s*$",
        "(?:limit|quota) (?:is )?exceeded",
    ],
)
def test_no_pattern_keeps_a_runner_busy(pattern):
    found = compile_pattern(pattern)
    texts = ["a" * 65_536, "ab" * 32_768, " " * 65_536, '"error" ' * 8_192, "<title>" * 9_362]

    started = time.process_time()
    for text in texts:
        found.found_in(text)

    assert time.process_time() - started < 10, "0.2 s on an idle machine"


def test_sets_and_escapes_are_not_repeats():
    assert compile_pattern(r"[*+?]\*\+[]}]").head == 65_536
