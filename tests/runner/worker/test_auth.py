"""Secrets are read late, and only headers that are safe on the wire are sent."""

from __future__ import annotations

import pytest

from headgate.errors import SecretMissing, WrongPlan
from headgate.worker.auth import Auth, header


@pytest.mark.parametrize(
    ("name", "value"),
    [("X-Key", "two\nlines"), ("Content-Length", "7"), ("a b", "x"), ("", "x"), ("X", "\x00")],
)
def test_a_header_that_could_end_before_its_end_is_refused(name, value):
    with pytest.raises(WrongPlan, match="cannot be sent"):
        header(name, value)


def test_a_secret_is_read_when_it_is_needed(monkeypatch):
    auth = Auth("header", "X-Key", "SHOP_TOKEN")

    monkeypatch.delenv("SHOP_TOKEN", raising=False)
    with pytest.raises(SecretMissing, match="SHOP_TOKEN"):
        auth.secret()
    monkeypatch.setenv("SHOP_TOKEN", " s3cr3t \n")
    assert auth.secret() == "s3cr3t"
