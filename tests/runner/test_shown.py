"""Stored and logged text has no secrets, no invisible characters, and a limited length."""

from __future__ import annotations

import io
import logging

import pytest

from headgate.redaction import NOT_SHOWN
from headgate.shown import LONGEST_ERROR, Redacting, learn, learn_passwords, redacted, visible

SECRET = "shown/only+here=42"
learn(SECRET)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("as it is: é 🐟 漢", "as it is: é 🐟 漢"),
        ("two\nlines\r\nand\ta tab ", "two lines and a tab"),
        ("invoice\u202egnp.exe", r"invoice\u202egnp.exe"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("zero\u200bwidth\ufeff\u2066", r"zero\u200bwidth\ufeff\u2066"),
        ("a\0b\x7f\x85\u2028", r"a\x00b\x7f\x85\u2028"),
    ],
)
def test_invisible_characters_are_escaped(text: str, shown: str):
    assert visible(text) == shown
    assert redacted(text) == shown


def test_an_error_is_cleared_and_then_cut():
    place = LONGEST_ERROR - len("shown/on")

    assert redacted("." * place + SECRET) == "." * place + "[secret]"
    assert redacted("." * (place + 3) + SECRET) == "." * (place + 3) + "[secr"
    assert len(redacted("x" * 100_000)) == LONGEST_ERROR
    assert redacted("half a pair: \ud800") == r"half a pair: \ud800"


def test_an_error_that_cannot_be_cleared_is_replaced():
    assert redacted("folded: shown/only\n +here=42") == NOT_SHOWN


def test_a_secret_that_is_learnt_later_is_cleared_from_then_on():
    assert redacted("it was said: learnt-later") == "it was said: learnt-later"
    learn("learnt-later")
    assert redacted("it was said: learnt-later") == "it was said: [secret]"


def test_no_log_and_no_traceback_holds_a_secret():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redacting())
    logger = logging.getLogger("tests.shown")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        try:
            raise ValueError("shown%2fonly%2bhere%3d42")
        except ValueError:
            logger.exception("asked %s \x1b[2J", f"https://api.test/?t={SECRET}")
    finally:
        logger.removeHandler(handler)

    first, *trace = stream.getvalue().splitlines()
    assert first == r"asked https://api.test/?t=[secret] \x1b[2J"
    assert trace[-1] == "ValueError: [secret]" and len(trace) > 2


def test_the_passwords_of_our_own_logins_are_secrets_too():
    learn_passwords(
        {
            "HEADGATE_DSN": "postgresql://me:pass%2Fword-1@db.test/headgate",
            "HEADGATE_LISTEN_DSN": "host=db.test password=pass/word-2",
            "PGPASSWORD": "pass/word-3",
        }
    )
    learn_passwords({"HEADGATE_DSN": "no connection string", "HEADGATE_LISTEN_DSN": ""})

    assert redacted("pass/word-1 pass%2Fword-2 pass/word-3") == "[secret] [secret] [secret]"
