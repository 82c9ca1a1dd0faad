"""Decides what an answer means, by a provider's ordered rule rows, never by code.

Calls without an answer are judged by the same rows, under a pseudo-status: `error:timeout`,
`error:connect` (nothing was sent), `error:cut` (the connection broke after the request was sent). A
database answers `sql:ok` or an SQLSTATE such as `sql:42P01`, which a rule for the class `sql:42`
also fits.

A good answer without content has no content type: it fits a rule of success by its status alone. If
that rule expects content, or if no rule fits, the answer is judged here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final

from headgate.worker.patterns import LONGEST_HEAD, Pattern, compile_pattern

SQL_CLASS: Final = re.compile("sql:[0-9A-Z]{2}")
"""A rule's status that fits all SQLSTATEs of one class."""
NOTHING: Final = ("204", "205", "304")
"""No content, reset content, not modified: the statuses of a provider that has nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that rules look at; `status` is of HTTP, or the pseudo-status of a failed call."""

    status: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    body: bytes = b""
    """The part of the body that rules may see."""
    is_readable: bool = True

    @property
    def content_type(self) -> str:
        """Return the Content-Type header, empty if there is none."""
        return self.headers.get("content-type", "")

    @property
    def is_blank(self) -> bool:
        """Return whether this is a good answer without content."""
        is_good = self.status in NOTHING or (len(self.status) == 3 and self.status[0] == "2")
        return is_good and self.is_readable and not self.body


@dataclass(frozen=True, slots=True)
class Block:
    """How long the provider is blocked: `until` is retry_after, reset, execution or for."""

    until: str
    seconds: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job's outcome, its fault, and the block that the answer asks for."""

    outcome: str
    fault: str
    reason: str
    block: Block | None = None
    charged: bool = True
    """Whether the provider charges for such an answer."""

    @property
    def is_success(self) -> bool:
        """Return whether the answer is a payload."""
        return self.outcome == "success"

    def detailed(self, detail: str) -> Outcome:
        """Return the outcome with a detail in its reason, in place of {answer} or at the end."""
        if "{answer}" in self.reason:
            return replace(self, reason=self.reason.replace("{answer}", detail))
        return replace(self, reason=f"{self.reason} ({detail})" if self.reason else detail)

    def located(self, url: str) -> Outcome:
        """Return the outcome with the URL in place of {url} in its reason."""
        return replace(self, reason=self.reason.replace("{url}", url))


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: which answers it fits, and what they mean."""

    status: str
    fits_status: Callable[[str], bool]
    content_type: Pattern | None
    body: Pattern | None
    outcome: Outcome
    blocks: str | None

    @property
    def expects_content(self) -> bool:
        """Return whether the rule looks at more than the status."""
        return self.content_type is not None or self.body is not None

    def fits_blank(self, answer: Answer) -> bool:
        """Return whether the rule may fit a blank answer: a success, or naming its status."""
        if self.outcome.is_success:
            return True
        return answer.status not in NOTHING or self.status == answer.status


class Rules:
    """A provider's rules in order; the first that fits decides."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def judge(self, answer: Answer) -> Outcome:
        """Return the outcome of the first rule that fits; without one, the provider is at fault."""
        rule = self.find(answer)
        if rule is None:
            if answer.is_blank:
                return _blank(answer)
            return Outcome("retry", "provider", "the answer fits no rule of the provider")
        if answer.is_blank and rule.outcome.is_success:
            return _blank(answer) if rule.expects_content else rule.outcome
        return _blocking(rule, answer) if rule.blocks else rule.outcome

    def find(self, answer: Answer) -> Rule | None:
        """Return the first rule that fits, or None."""
        head: str | None = None
        is_blank = answer.is_blank
        for rule in self._rules:
            if not rule.fits_status(answer.status) or (is_blank and not rule.fits_blank(answer)):
                continue
            if is_blank and rule.outcome.is_success:
                return rule
            if rule.content_type and not rule.content_type.found_in(answer.content_type):
                continue
            if rule.body:
                if head is None:
                    head = answer.body[:LONGEST_HEAD].decode("utf-8", "replace")
                if not rule.body.found_in(head):
                    continue
            return rule
        return None

    def may_succeed(self, status: str) -> bool:
        """Return whether an answer of that status can be a payload."""
        return any(rule.outcome.is_success and rule.fits_status(status) for rule in self._rules)


def compile_rules(rows: Sequence[dict[str, Any]]) -> Rules:
    """Compile a provider's rules once; equal lists share the result. Raises WrongPlan."""
    return _compile(json.dumps(rows, sort_keys=True))


@lru_cache(maxsize=64)
def _compile(rows: str) -> Rules:
    return Rules([_compile_row(row) for row in json.loads(rows)])


def _compile_row(row: dict[str, Any]) -> Rule:
    content_type, body = row.get("content_type"), row.get("body")
    status = str(row["status"])
    return Rule(
        status=status,
        fits_status=_status_test(status),
        content_type=compile_pattern(content_type, re.IGNORECASE) if content_type else None,
        body=compile_pattern(body) if body else None,
        outcome=Outcome(
            row["outcome"],
            row.get("fault") or "item",
            row.get("reason") or "",
            charged=row.get("charged") is not False,
        ),
        blocks=row.get("blocks"),
    )


def _status_test(status: str) -> Callable[[str], bool]:
    if status == "*":
        return lambda _: True
    if SQL_CLASS.fullmatch(status):
        return lambda seen: seen.startswith(status)
    first, dash, last = status.partition("-")
    if not dash:
        return status.__eq__
    return lambda seen: seen.isdigit() and first <= seen <= last


def _blank(answer: Answer) -> Outcome:
    """Judge a good answer without content where content is expected."""
    if answer.status in NOTHING:
        return Outcome("skipped", "item", "the provider has nothing for it")
    return Outcome("retry", "item", "the answer is empty")


def _blocking(rule: Rule, answer: Answer) -> Outcome:
    given, until = rule.outcome, rule.blocks or ""
    seconds: float | None = None
    if until == "retry_after":
        seconds = seconds_to_wait(answer.headers.get("retry-after"), answer.headers.get("date"))
    elif until not in ("reset", "execution"):
        seconds, until = float(until.split()[0]), "for"
    return replace(given, block=Block(until, seconds, given.reason))


def seconds_to_wait(retry_after: str | None, date: str | None = None) -> float | None:
    """Return the seconds of a Retry-After header; a date is relative to the answer's own Date.

    Without a Date it says nothing: the runner's own clock may be wrong.
    """
    text = (retry_after or "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    until, now = _timestamp(text), _timestamp(date)
    return None if until is None or now is None else max(0.0, until - now)


def _timestamp(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (ValueError, OverflowError):
        return None
