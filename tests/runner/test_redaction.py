"""A secret is redacted in every form, and nothing else is; cut text keeps no part of a secret."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.redaction import PIECE, REDACTED, Redactor, Uncleared

SECRET = 'S3cr3t/to+ken=value&x %"<'
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda x: quote(x, ""),
    "percent, the slash left": quote,
    "percent in small digits": lambda x: re.sub(r"%..", lambda y: y[0].lower(), quote(x, "")),
    "every character in percent": lambda x: "".join(f"%{y:02x}" for y in x.encode()),
    "form": quote_plus,
    "JSON": lambda x: json.dumps(x)[1:-1],
    "JSON as PHP writes it": lambda x: json.dumps(x)[1:-1].replace("/", r"\/"),
    "JSON as Go writes it": lambda x: json.dumps(x)[1:-1].replace("&", r"\u0026").replace("<", r"\u003C"),
    "every character in JSON": lambda x: "".join(f"\\u{ord(y):04X}" for y in x),
    "a program's string": lambda x: "".join(f"\\x{ord(y):02x}" for y in x),
    "braces": lambda x: "".join(f"\\u{{{ord(y):x}}}" for y in x),
    "HTML": html.escape,
    "decimal HTML": lambda x: "".join(f"&#{ord(y)};" for y in x),
    "hexadecimal HTML": lambda x: "".join(f"&#x{ord(y):X};" for y in x),
    "named HTML": lambda x: html.escape(x).replace("/", "&sol;").replace("+", "&plus;").replace("=", "&equals;"),
    "base64": lambda x: base64.b64encode(x.encode()).decode().rstrip("="),
    "base64 further in": lambda x: base64.b64encode(b"login:" + x.encode() + b"\n").decode()[8:],
    "base64 for URLs": lambda x: base64.urlsafe_b64encode(b"a" + x.encode()).decode()[2:].rstrip("="),
    "hexadecimal": lambda x: x.encode().hex(),
    "capital hexadecimal": lambda x: x.encode().hex().upper(),
}  # fmt: skip
BARE = ("base64", "base64 further in", "base64 for URLs", "hexadecimal", "capital hexadecimal")
"""Of these a few digits may remain, which hold less than a character of the secret."""

clear = Redactor(SECRET).clear


@pytest.mark.parametrize("inner", FORMS)
@pytest.mark.parametrize("outer", ["as it is", *(x for x in FORMS if x not in BARE)])
def test_a_secret_is_found_in_every_form_also_within_another(inner, outer):
    form = FORMS[outer](FORMS[inner](SECRET))

    cleared = clear(f"before {form} after".encode()).decode()

    assert re.fullmatch(r"before \S{0,9}\[secret\]\S{0,30} after", cleared), cleared


def test_six_forms_within_each_other_are_seen_through():
    form = SECRET
    for name in ("HTML", "JSON", "percent", "percent", "JSON as PHP writes it"):
        form = FORMS[name](form)

    assert clear(form.encode()) == REDACTED


@pytest.mark.parametrize("form", [x for x in FORMS if x not in BARE])
def test_a_cut_text_keeps_no_part_of_the_secret(form):
    whole = FORMS[form](SECRET)

    for place in range(1, len(whole)):
        before = clear(f"seen: {whole[:place]}".encode(), cut_after=True)
        after = clear(f"{whole[place:]} was seen".encode(), cut_before=True)
        assert before == b"seen: " + REDACTED
        assert after.endswith(b"was seen") and not re.search(rb"[0-9A-Za-z]{3}", after[8:-9])


def test_a_cut_text_keeps_what_only_looks_at_first_like_a_part():
    assert clear(b"the end of S3cr4", cut_after=True) == b"the end of S3cr4"
    assert clear(b"the end of S3cr3t") == b"the end of S3cr3t"


def test_a_secret_behind_a_scheme_or_in_base64_is_redacted_too():
    login = base64.b64encode(b"somebody:a long password").decode()
    redactor = Redactor(f"Basic {login}")

    assert redactor.clear(f"bad token {login}".encode()) == b"bad token [secret]"
    assert redactor.clear(b"no user somebody:a long password here") == b"no user [secret] here"
    assert redactor.clear(b"wrong: a%20long%20password") == b"wrong: [secret]"
    assert Redactor("Token 0123456789").clear(b"0123456789?") == b"[secret]?"


@pytest.mark.parametrize(
    "text",
    ['S3cr3t/to+\n ken=value&x %"<', "5333637233742f746f2b\r\n6b656e3d76616c7565267820 25223c"],
)
def test_a_text_that_cannot_be_cleared_is_said_to_be_so(text):
    with pytest.raises(Uncleared, match="not shown: it repeats a secret"):
        clear(f"folded: {text}".encode())


def test_a_word_too_short_to_be_a_secret_stays():
    assert Redactor("demo").clear(b"demo") == b"demo"
    assert Redactor("%64%65%6d%6f").clear(b"demo %64%65%6d%6f") == b"demo [secret]"
    assert Redactor("").clear(b"", cut_after=True) == b""


@pytest.mark.parametrize("secret", ["pässwörd", "пароль-2026", "🐟🐟🐟"])
@pytest.mark.parametrize("form", ["as it is", "percent", "form", "JSON", "HTML", "decimal HTML"])
def test_a_secret_may_be_of_any_letters(secret, form):
    given = json.dumps(secret)[1:-1] if form == "JSON" else FORMS[form](secret)

    assert Redactor(secret).clear(f"<{given}>".encode()) == b"<[secret]>"


@pytest.mark.parametrize("place", [PIECE - 200, PIECE - 20, PIECE - 1, PIECE, 2 * PIECE + 5])
@pytest.mark.parametrize("form", ["as it is", "every character in JSON"])
def test_a_secret_is_found_wherever_it_stands_in_a_large_text(place, form):
    whole = FORMS[form](SECRET).encode()
    text = bytearray(b" " * place + whole + b"." * PIECE)

    assert clear(text) == b" " * place + REDACTED + b"." * PIECE


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
@example("%" * 40)
@example("\\" * 60)
@example("&amp;" * 20)
@example("100 % S3cr3t \\u &#x; &; \\u{} \\U0011FFFF &#1114112;")
def test_all_else_stays_as_it_is(text):
    data = text.encode(errors="replace")

    assert clear(data) is data
    assert data.startswith(clear(data, cut_after=True).removesuffix(REDACTED))


@settings(max_examples=300, deadline=None)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=30),
    names=st.lists(st.sampled_from([x for x in FORMS if x not in BARE]), max_size=3),
    before=st.text(max_size=10),
    after=st.text(max_size=10),
)
@example(secret="%2525252F", names=["form", "HTML"], before="", after="")
@example(secret="000000\\<", names=["HTML"], before="", after="")
@example(secret="000000\\<", names=["HTML", "JSON"], before="", after="")
@example(secret="&amp;amp;lt;", names=["JSON", "HTML"], before="&", after=";")
@example(secret="\\\\\\\\u002f", names=["JSON", "JSON"], before="\\", after="f")
def test_no_secret_is_left_whatever_it_is_made_of(secret, names, before, after):
    form = secret
    for name in names:
        form = FORMS[name](form)

    try:
        cleared = Redactor(secret).clear(f"{before}{form}{after}".encode(errors="replace"))
    except Uncleared:
        return
    assert form.encode() not in cleared
