"""Providers and stores over TLS: SSL_CERT_FILE says whom to trust, and nobody else gets a request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from headgate.errors import InvalidValue
from headgate.settings import Settings
from headgate.worker import Store, look_into
from headgate.worker.calls import Caller
from headgate.worker.chunks import Call
from headgate.worker.stores import StoreFailed
from tests.runner.shop import Shop, open_shop, text_of
from tests.tls import Authority

RULES = [
    {"status": "200", "outcome": "success", "fault": "item", "reason": "ok"},
    {"status": "error:connect", "outcome": "retry", "fault": "provider", "reason": "away"},
]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(trustme.CA(), tmp_path)


@pytest.fixture
async def shop(authority: Authority) -> AsyncIterator[Shop]:
    """A shop whose certificate is of an authority of its own."""
    async with open_shop(authority.context("127.0.0.1")) as shop:
        yield shop


async def said_by(shop: Shop) -> str:
    """Call the shop; return the answer, or the reason why there is none."""
    caller = Caller(1)
    row = {"base_url": shop.url, "timeout_seconds": 60, "rules": RULES}
    reply = await caller.fetch(Call.from_row(row), "/things")
    await caller.aclose()
    assert reply.requests == len(shop.asked)
    return bytes(reply.payload).decode() if reply.payload else reply.outcome.reason


async def test_a_provider_of_ones_own_authority_is_reached_by_one_setting(
    shop: Shop, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file()))

    assert await said_by(shop) == "{}"


async def test_a_certificate_of_an_unknown_authority_is_refused(
    shop: Shop, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    wrong = Authority(trustme.CA(), authority.folder)
    for told in ("", str(wrong.file())):
        monkeypatch.setenv("SSL_CERT_FILE", told)
        assert await said_by(shop) == (
            "away (its certificate is not trusted: unable to get local issuer certificate; "
            "SSL_CERT_FILE names whom to trust)"
        )


async def test_a_certificate_of_another_name_is_refused(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file()))
    async with open_shop(authority.context("elsewhere.test")) as shop:
        assert "its certificate is not trusted: IP address mismatch" in await said_by(shop)


async def test_a_store_of_ones_own_authority_is_reached_by_the_same_setting(
    shop: Shop, authority: Authority, monkeypatch: pytest.MonkeyPatch
):
    listing = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    shop.answer = text_of(listing)
    for name in ("LAKE_ID", "LAKE_KEY"):
        monkeypatch.setenv(name, "of the lake")
    store = Store("lake", "s3://lake", shop.url, None, "LAKE_ID", "LAKE_KEY")

    with pytest.raises(StoreFailed):
        await look_into(store)
    assert shop.asked == []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file()))
    await look_into(store)
    assert shop.asked


def test_a_file_of_certificates_that_is_not_there_is_refused_at_the_start():
    with pytest.raises(InvalidValue, match=r"SSL_CERT_FILE is /no/ca\.pem, which is not there"):
        Settings.from_env({"SSL_CERT_FILE": "/no/ca.pem"})
