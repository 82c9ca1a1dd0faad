"""Addresses: all spellings of a page become one, and addresses that lead to no page are dropped."""

from __future__ import annotations

import pytest

from headgate.handlers.addresses import LONGEST, canonical


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("HTTP://Shop.TEST:80/a", "http://shop.test/a"),
        ("https://shop.test:443", "https://shop.test/"),
        ("http://shop.test:8080/", "http://shop.test:8080/"),
        ("http://shop.test./a", "http://shop.test/a"),
        ("http://bücher.test/", "http://xn--bcher-kva.test/"),
        ("http://[::1]:80/a", "http://[::1]/a"),
        ("//shop.test/a", "http://shop.test/a"),
        ("/a/./b/../c/..", "http://shop.test/a/"),
        ("/../../a", "http://shop.test/a"),
        ("/%7Ea/%2e/%e4%c3%9c", "http://shop.test/~a/%E4%C3%9C"),
        ('/a b/Ü|"', "http://shop.test/a%20b/%C3%9C%7C%22"),
        ("/100%/%zz", "http://shop.test/100%25/%25zz"),
        ("\\a\\b", "http://shop.test/a/b"),
        ("/a?b=1&amp=2&#c", "http://shop.test/a?b=1&amp=2"),
        ("?z=1&UTM_Source=x&a=%41&fbclid=y", "http://shop.test/shop/?z=1&a=A"),
        ("/a?gclid=1", "http://shop.test/a"),
        ("/a;jsessionid=F00?x", "http://shop.test/a?x"),
        ("  page\n", "http://shop.test/shop/page"),
        ("#top", "http://shop.test/shop/"),
    ],
)
def test_spellings_of_one_address_are_one(written: str, means: str):
    assert canonical(written, "http://shop.test/shop/") == means
    assert canonical(means) == means


@pytest.mark.parametrize(
    "written",
    [
        "mailto:a@b.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://shop.test/",
        "http://user:word@shop.test/",
        "http://[broken/",
        "http://shop.test:port/",
        "http://a..b/",
        "/a%2f..%2fb",
        "/a%5C..",
        "/" + LONGEST * "a",
        "/\ud800",
    ],
)
def test_addresses_that_lead_to_no_page_give_none(written: str):
    assert canonical(written, "http://shop.test/shop/") is None
