"""HTML pages for crawlers: charsets as in browsers, hostile links, and instructions to crawlers."""

from __future__ import annotations

import pytest

from headgate.handlers import Document
from headgate.handlers.pages import parse_html


def document(
    body: bytes | str, content_type: str = "", url: str = "http://shop.test/a/", **headers: str
) -> Document:
    data = body.encode() if isinstance(body, str) else body
    said = {"content-type": content_type} if content_type else {}
    return Document(data, url, said | headers)


PAGE = """<html lang="en"><head><title> A shop </title><base href="/b/"><meta name="robots" content="NoFollow">
<meta name="description" content="All of it"><link rel="canonical" href="../c?x=1&utm_source=y#top"></head>
<body><script>var hidden</script><p>One</p><p>two</p>
<a href="x">x</a><a href="x#again">x</a><a href="http://other.test/">o</a><a href="mailto:a@b">m</a>
<a href="http://[broken">b</a><a href="javascript:alert(1)">j</a><a rel="ugc nofollow" href="n">n</a><a>none</a>
</body></html>"""


def test_a_page_is_its_text_links_and_what_it_tells_crawlers():
    assert parse_html(document(PAGE, url="http://SHOP.test:80/a/./?utm_medium=mail")) == {
        "url": "http://shop.test/a/",
        "redirect": None,
        "encoding": "utf-8",
        "title": "A shop",
        "description": "All of it",
        "language": "en",
        "canonical": "http://shop.test/c?x=1",
        "robots": "nofollow",
        "links": ["http://shop.test/b/x", "http://other.test/"],
        "text": "One two x x o m b j n none",
    }


def test_a_redirect_is_where_the_location_leads():
    assert parse_html(document("", location="../b#x"))["redirect"] == "http://shop.test/b"


@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        ("<title>Ä</title>".encode("latin-1"), "text/html; charset=latin-1", "cp1252"),
        ('<meta charset="latin-1"><title>Ä</title>'.encode("latin-1"), "text/html", "cp1252"),
        ("<title>Ä</title>".encode("latin-1"), "text/html", "cp1252"),
        ("<title>Ä</title>".encode("utf-16"), "text/html", "utf-16-le"),
        ("\ufeff<title>Ä</title>".encode(), "text/html; charset=latin-1", "utf-8"),
        ('<meta charset="utf-16"><title>Ä</title>'.encode(), "text/html", "utf-8"),
        ('<meta charset="klingon"><title>Ä</title>'.encode(), "text/html", "utf-8"),
        ("<title>Ä</title>".encode(), "text/html; charset=hex", "utf-8"),
        ("<title>Ä</title>".encode(), "text/html; charset=utf-7", "utf-8"),
        ('<meta charset="latin-1"><title>Ä</title>'.encode(), "text/html; charset=utf-8", "utf-8"),
    ],
)
def test_a_page_s_charset_is_that_of_its_mark_its_sender_or_itself(
    body: bytes, content_type: str, encoding: str
):
    page = parse_html(document(body, content_type))

    assert (page["title"], page["encoding"]) == ("Ä", encoding)


def test_undecodable_bytes_of_a_page_are_replaced():
    page = parse_html(document(b"<title>\xc4\x00</title>", "text/html; charset=utf-8"))

    assert page["title"] == "\ufffd"


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\xfd", b"<html><body>" + b"<div>" * 5000, b"no page"]
)
def test_a_body_that_is_not_html_is_a_page_without_links(body: bytes):
    assert parse_html(document(body))["links"] == []
