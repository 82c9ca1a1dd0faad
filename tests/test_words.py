"""One word per thing: words replaced by `docs/glossary.md`, and riddles, do not occur in the tree."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (
    ".sql",
    ".py",
    ".md",
    ".yaml",
    ".yml",
    ".toml",
    ".html",
    ".json",
    ".txt",
    "Makefile",
    "check-sql",
)
SKIPPED = {"tests/test_words.py", "db/schema.sql", "CHANGELOG.md"}
"""This list itself, generated files, and history."""

EVERYWHERE = ""
CODE = r"^(db|runner|dags)/"
PROSE = r"^(db/(?!plans/)|docs/|README|CONTRIBUTING)"

# Old words with the files where they must not occur, and their replacements.
OLD = [
    (r"\bjob_fate\b|\bfates?\b", EVERYWHERE, "result, job_result"),
    (r"headgate\._judge\b|\b_verdict\b|\bv_verdict\b", EVERYWHERE, "_resolve, _disposition"),
    (r"'(over|deadly|poor|shut)'", r"^db/", "step_ended, poison, no_quota, breaker_open"),
    (r"\bblame[ds]?\b", EVERYWHERE, "fault"),
    (r"\bhouses?\b", EVERYWHERE, "internal (a fault), system (under test)"),
    (r"(?<![A-Za-z])gates?\b|_gates?\b", EVERYWHERE, "breaker, rate limiter, _admit"),
    (r"\bv_refusals\b|\brefusal\b", CODE, "deferral reason, request_error, auth_failures"),
    (r"\bdeaths?\b|\bdeadly\b", EVERYWHERE, "lease_expirations, poison"),
    (r"\bpatience\b", EVERYWHERE, "max_wait"),
    (
        r"\bcover_no\b|\bcover_position\b|\b_covers\b|cheapest cover",
        EVERYWHERE,
        "bulk call, batch call",
    ),
    (r"\bpage_size\b|\bfundamentals_page\b|\b_pages\b", EVERYWHERE, "batch_size, batch call"),
    (r"\balternative_of\w*|\"alternatives\"", EVERYWHERE, "bulk_call_of"),
    (r"\b[Cc]alls? for (a|the|its) (whole )?group\b", PROSE, "bulk call"),
    (r"\bbook(ed|s)?\b", r"^(db/(?!plans/equities)|runner/|docs/|README)", "ledger, charged"),
    (
        r"headgate\._(price|paid|can_pay_again)\b|\bis_payer\b|\bpaid for\b",
        EVERYWHERE,
        "unit_price, charged",
    ),
    (
        r"\bclosed_(until|for|calls|reason)\b|\b_is_shut\b|\b_openness\b",
        EVERYWHERE,
        "blocked_until, blocked",
    ),
    (r"\bclosed provider\b|\bprovider is closed\b|\bcloses the provider\b", EVERYWHERE, "blocked"),
    (
        r"headgate\._(cure|let_go|mend_\w+)\b|\bmend(s|ed|ing)?\b",
        EVERYWHERE,
        "repair, _release_holds",
    ),
    (r"\bMOST_[A-Z]", EVERYWHERE, "MAX_"),
    (
        r"\b(Feeder|Settler|Workshop|Lanes)\b|\bclass (Flight|Held|Handled|Power)\b",
        EVERYWHERE,
        "Producer, CallExecutor, Completer, ConnectionPool, HandlerExecutor, CallLease",
    ),
    (r"\bleftovers?\b", CODE, "orphans"),
    (r"headgate\.why\(", r"^(docs/|README|runner/)", "explain_asset_day"),
]
# Phrases that are not idiomatic English.
RIDDLES = [
    (r"\b[Ww]hoever\b", PROSE, "a session that, any role that"),
    (r"\banew\b", PROSE, "again"),
    (r"\bmightier\b", EVERYWHERE, "with more rights than they need"),
    (r"\bas (it|they) should be\b", PROSE, "healthy, expected"),
    (
        r"\b(tells|(is|are|was|were) told) (what|of|how|when|whether|that)\b",
        PROSE,
        "reports, returns",
    ),
    (r"makes no sense|is no valid|is no number of", CODE, "malformed, invalid, must be"),
    (r"there is no fit\b", CODE, "with the required signature"),
    (r"'s affair\b", PROSE, "is not touched"),
]
ALLOWED = {
    "runner/headgate/demo/eodhd/fundamentals.py": r"BookValue",
    "docs/equities.md": r"price_to_book|book value",
    "docs/adding-a-pipeline.md": r"\bbooks?\b",
}
"""Lines that use such a word in another meaning."""


@cache
def texts() -> dict[str, str]:
    """Return the text files that git tracks."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    chosen = (x for x in listed if x.endswith(TEXT) and x not in SKIPPED)
    return {x: (ROOT / x).read_text() for x in chosen if (ROOT / x).is_file()}


@pytest.mark.parametrize(("pattern", "where", "instead"), OLD + RIDDLES)
def test_the_word_is_gone(pattern: str, where: str, instead: str):
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts().items()
        if re.search(where, path) and re.search(pattern, text)  # few files have it at all
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(pattern, line) and not re.search(ALLOWED.get(path, r"(?!)"), line)
    ]
    assert found == [], f"write: {instead}"
