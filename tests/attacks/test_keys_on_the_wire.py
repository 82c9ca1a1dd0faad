"""Keys from rows to the wire: any key stays within its path segment and its parameter.

SQL writes the URL, the runner sends it, and a server without an HTTP library records what arrives.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import pytest
from hypothesis import HealthCheck, Phase, example, given, seed, settings
from hypothesis import strategies as st

from headgate.worker.calls import Caller, Reply
from headgate.worker.chunks import Call
from tests.attacks.form import SEED, either, tell
from tests.db.toy import Toy
from tests.plan import Row
from tests.runner.raw import open_raw

EXAMPLES = either(80, 2_000)
SECRET = "s3cr3t/../&?#=%2e"
BASES = ("", "/api/v1", "/a%2Fb/.x")
PATHS = (
    "/get/{asset.code}", "/get/{asset.code}/history", "/{asset.code}", "/get/a{asset.code}b", "/get/.{asset.code}",
    "/get/{asset.code}.", "/{asset.code}{asset.mark}", "/{asset.mark}/{asset.code}/", "/get//{asset.mark}.json",
)  # fmt: skip
TOKENS = (
    ".", "..", "...", "%2e", "%2E%2E", "%252e", "/", "//", "\\", "%2f", "%5C", "\t", "\n", "\r\n", " ", "?", "#", "&", "=",
    ";", ":", "@", "+", "~", "%", "%zz", "{asset.code}", "http://evil.test/", "//evil.test", "admin", "é", "🐟", "\u202e",
)  # fmt: skip
keys = st.one_of(
    st.lists(st.sampled_from(TOKENS), min_size=1, max_size=5).map("".join),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
)
marks = st.one_of(st.just(""), keys)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def test_a_key_stays_in_its_place_on_the_wire(toy: Toy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOY_TOKEN", SECRET)
    seen = Counter[str]()

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        assets=st.dictionaries(keys, marks, min_size=1, max_size=8),
        path=st.sampled_from(PATHS),
        base=st.sampled_from(BASES),
    )
    @example(
        assets={
            "..": "",
            ".": "..",
            "%2E%2E": ".",
            "../../admin": "a",
            "a\\..\\..\\b": "b",
            "...": ".",
        },
        path="/get/{asset.code}",
        base="/api/v1",
    )
    def attack(assets: dict[str, str], path: str, base: str) -> None:
        with toy.connection.transaction(force_rollback=True):
            chunks = claimed(toy, assets, path, base)
            urls = {
                code: (chunk["call"], url)
                for chunk in chunks
                for code, url in zip(chunk["assets"], chunk["urls"], strict=True)
            }
        assert set(urls) == set(assets)
        targets = asyncio.run(asked(urls))
        for code, target in targets.items():
            seen[check(code, assets[code], path, base, target)] += 1

    attack()
    assert seen["sent"] > EXAMPLES and seen["refused"] > 0, seen
    tell(
        f"keys on the wire: {sum(seen.values()):,} hostile keys: {dict(seen)}, all in their places"
    )


def claimed(toy: Toy, assets: dict[str, str], path: str, base: str) -> list[Row]:
    """Plan the assets, and claim their requests."""
    toy.upsert(
        [{"code": x, "group_key": "A", "attributes": {"mark": y}} for x, y in assets.items()]
    )
    toy.provider(base_url=f"http://shop.test{base}")
    toy.sql(
        'update headgate.providers set auth = \'{"in": "query", "name": "token"}\','
        " secret_name = 'TOY_TOKEN' where name = 'shop'"
    )
    toy.tune(path=path, query={"code": "{asset.code}", "mark": "{asset.mark}"})
    toy.begin()
    return toy.claim(chunks=5)


async def asked(urls: dict[str, tuple[dict[str, Any], str | None]]) -> dict[str, str | None]:
    """Send the requests; return what arrived for each, if it was sent."""
    targets: dict[str, str | None] = {}
    async with open_raw() as raw:
        raw.answer = ANSWER
        caller = Caller(1)
        for code, (row, url) in urls.items():
            raw.heads.clear()
            if url is not None:
                base_url = row["base_url"].replace("http://shop.test", raw.url)
                reply = await caller.fetch(Call.from_row({**row, "base_url": base_url}), url)
                assert_is_clear(reply, len(raw.heads))
            targets[code] = raw.targets[0] if raw.heads else None
        await caller.aclose()
    return targets


def assert_is_clear(reply: Reply, requests: int) -> None:
    """Check that an answer was accepted, or the item rejected before anything was sent."""
    assert reply.requests == requests
    assert "s3cr3t" not in repr(reply)
    if not requests:
        assert (reply.outcome.outcome, reply.outcome.fault) == ("failed", "item")
        assert "leaves its place" in reply.outcome.reason


def check(code: str, mark: str, path: str, base: str, target: str | None) -> str:
    """Compare what arrived with the template, rendered by other means."""
    filled = path.replace("{asset.code}", quote(code, "")).replace("{asset.mark}", quote(mark, ""))
    decoded = re.split(r"[/\\]", unquote(filled))
    leads_away = bool({".", ".."} & set(decoded)) or filled.split("/").count("") > path.split(
        "/"
    ).count("")
    if leads_away:
        assert target is None, (code, mark, path, target)
        return "refused"
    assert target is not None, (code, mark, path)
    sent, _, query = target.partition("?")
    assert sent == base + filled
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [
        ("code", code),
        ("mark", mark),
        ("token", SECRET),
    ]
    return "sent"
