"""The shipped parsers, on inputs of real servers: charsets, gzip, broken lines."""

from __future__ import annotations

import gzip

import pytest

from headgate.handlers import Document
from headgate.handlers.parsers import parse_csv, parse_ndjson, parse_xml


def document(
    body: bytes | str, content_type: str = "", url: str = "http://shop.test/a/"
) -> Document:
    data = body.encode() if isinstance(body, str) else body
    return Document(data, url, {"content-type": content_type} if content_type else {})


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_is_objects_by_the_names_of_its_first_line(separator: str):
    body = 'name,price\r\n"a\nb",1.5\r\nÄ,\r\n'.replace(",", separator)

    assert parse_csv(document(body)) == [
        {"name": "a\nb", "price": "1.5"},
        {"name": "Ä", "price": ""},
    ]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("x\nÄ\n".encode("latin-1"), "text/csv; charset=iso-8859-1"),
        ("\ufeffx\nÄ\n".encode(), "text/csv"),
        ("x\nÄ\n".encode("utf-16"), "text/csv"),
        (
            gzip.compress(b"x\n", mtime=0) + gzip.compress("Ä\n".encode(), mtime=0),
            "application/gzip",
        ),
    ],
)
def test_text_is_read_by_mark_charset_or_as_utf_8_also_out_of_gzip(body: bytes, content_type: str):
    assert parse_csv(document(body, content_type)) == [{"x": "Ä"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"a,b\n1,2,3\n", "line 2 has 3 values, not 2"),
        (b"a,b\n\n1\n", "line 3 has 1 values, not 2"),
        (b"a,a\n1,2\n", "two columns have the same name"),
        (b"a\n\xff\n", "can't decode byte 0xff"),
        (gzip.compress(b"a\n1\n", mtime=0)[:-9], "the gzip file is cut off"),
        (b"\x1f\x8b\x08nothing", "the gzip file is broken"),
    ],
)
def test_csv_that_is_broken_is_told_where(body: bytes, said: str):
    with pytest.raises(ValueError, match=said):
        parse_csv(document(body))


def test_an_unknown_charset_is_named():
    with pytest.raises(ValueError, match="the charset 'klingon' is not known"):
        parse_csv(document("a\n1\n", "text/csv; charset=klingon"))


def test_json_lines_are_values_and_a_broken_one_has_its_number():
    assert parse_ndjson(document('{"a": 1}\n\n[2]')) == [{"a": 1}, [2]]
    with pytest.raises(ValueError, match="line 2 is not JSON"):
        parse_ndjson(document("1\n{"))


def test_xml_is_objects_by_element_and_expands_no_entity():
    body = '<?xml version="1.0" encoding="iso-8859-1"?><feed id="7"><item>\xe9</item><item/></feed>'

    assert parse_xml(document(body.encode("latin-1"))) == {
        "feed": {"@id": "7", "item": ["é", None]}
    }
    with pytest.raises(ValueError, match="entities are disabled"):
        parse_xml(document('<!DOCTYPE a [<!ENTITY x "yyy">]><a>&x;</a>'))
