"""Whatever charset an answer claims, its text is valid for PostgreSQL, or the item is at fault."""

from __future__ import annotations

import codecs
import encodings
import json
import pkgutil

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.charsets import is_charset
from headgate.worker.payloads import BadPayload, Unstorable, check_json, read_text

CODECS = sorted(
    {x.name for x in pkgutil.iter_modules(encodings.__path__)} | {"hex", "base64", "rot13"}
)
NO_CHARSETS = (
    "utf-7", "hex", "base64", "bz2", "zlib", "uu", "quopri", "rot13", "undefined", "idna", "punycode",
    "unicode_escape", "raw_unicode_escape", "charmap", "hz", "palmos",
)  # fmt: skip
SURROGATES = (
    b'{"n": "+2AA-"}',
    b"\\ud800",
    "\ud800".encode("utf-16-le", "surrogatepass"),
    "\udc00\ud800".encode("utf-16-be", "surrogatepass"),
    "\ud800".encode("utf-32-le", "surrogatepass"),
    b"\xed\xa0\x80",
    b"\xff\xfe\x00\xd8",
)


def text_of(body: bytes, content_type: str) -> str:
    """Return the text read from a body."""
    return read_text(bytearray(body), content_type).decode()


def is_storable(text: str) -> bool:
    """Return whether a text column can hold a text: PostgreSQL takes neither NUL nor lone surrogates."""
    return "\0" not in text and not any("\ud800" <= x <= "\udfff" for x in text)


def test_there_are_charsets_to_test():
    assert len(CODECS) > 100
    assert {"utf_7", "hex_codec", "undefined", "utf_8", "cp1252"} <= set(CODECS)


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=10, deadline=None)
@given(body=st.binary(max_size=60))
def test_every_codec_of_python_yields_storable_text_or_blames_the_item(codec, body):
    for given_body in (body, *SURROGATES):
        try:
            assert is_storable(text_of(given_body, f"application/json; charset={codec}"))
        except Unstorable as exc:
            assert (exc.outcome, exc.fault) == ("failed", "item")
            assert is_storable(str(exc))


@settings(max_examples=500, deadline=None)
@given(kind=st.text(st.characters(max_codepoint=255), max_size=40), body=st.binary(max_size=20))
@example("text/plain; charset*=utf-8''%ed%a0%80", b"a")
@example("text/plain; charset=\x00", b"a")
@example('text/plain; charset="', b"a")
@example("text/plain; charset=" + "x" * 70_000, b"a")
@example("; charset=..os.path", b"a")
def test_no_content_type_breaks_the_runner(kind, body):
    for content_type in (kind, f"text/plain; charset={kind}"):
        try:
            assert is_storable(text_of(body, content_type))
        except Unstorable as exc:
            assert is_storable(str(exc))


@pytest.mark.parametrize("charset", NO_CHARSETS)
def test_an_unknown_charset_is_refused_by_name(charset):
    with pytest.raises(Unstorable, match=f"charset is '{charset}'"):
        text_of(b"[1]", f"application/json; charset={charset}")


@pytest.mark.parametrize(
    "charset",
    [
        "utf-8", "UTF8", "utf-16", "utf-16le", "utf-32", "us-ascii", "latin-1", "iso-8859-15", "windows-1252", "cp1251",
        "koi8-r", "macintosh", "gbk", "gb18030", "big5", "shift_jis", "x-sjis", "windows-31j", "euc-jp", "iso-2022-jp",
        "euc-kr", "ks_c_5601-1987", "windows-874", "tis-620", "iso-8859-8-i",
    ],
)  # fmt: skip
def test_charsets_of_real_texts_are_read(charset):
    spoken = {"x-sjis": "cp932", "windows-31j": "cp932", "windows-874": "cp874"}.get(charset)
    name = codecs.lookup(spoken or charset.removesuffix("-i")).name

    assert text_of("[1]".encode(name), f"text/plain; charset={charset}") == "[1]"
    assert is_charset(charset)


def test_a_byte_order_mark_says_what_the_text_is_whatever_the_header_says():
    assert text_of("é".encode("utf-8-sig"), "text/plain; charset=latin-1") == "é"
    assert text_of("é".encode("utf-16"), "text/plain; charset=utf-16") == "é"


def test_a_misspelt_charset_is_taken_for_utf_8():
    assert text_of("é".encode(), "text/plain; charset=utf8mb4") == "é"
    with pytest.raises(Unstorable, match="not utf-8 text"):
        text_of(b"\xe9", "text/plain; charset=utf8mb4")


@pytest.mark.parametrize("digits", [4_300, 4_301, 5_000, 100_000])
def test_a_number_of_many_digits_is_json(digits):
    check_json(f"[{'9' * digits}, -{'1' * digits}, {'3' * digits}.5, 1e{'9' * 20}]".encode())


@pytest.mark.parametrize(
    "text",
    ["", "[01]", "[1.]", "[.5]", "[+1]", "[1e]", "[-]", "[NaN]", "[1,]", "{'a': 1}", "[1] 2"],
)
def test_invalid_json_is_refused(text):
    with pytest.raises(BadPayload):
        check_json(text.encode())


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)  # fmt: skip
def test_all_that_is_json_is_let_through(value):
    check_json(json.dumps(value).encode())
    check_json(json.dumps(value, ensure_ascii=False).encode())
