"""The long form of the tests of stores: the same on SeaweedFS, a second implementation of S3 (`make test/s3`)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.worker.chunks import Store
from headgate.worker.stores import PART_BYTES, StoreFailed, delete, get, keys_before, now, put
from tests.buckets import KEY_ID, SECRET, answers
from tests.limits import wait_until
from tests.servers import free_port

WEED = Path(sys.executable).with_name("weed")
BUCKET = "lake"
pytestmark = pytest.mark.skipif(not WEED.exists(), reason="weed is not installed: make test/s3")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Run the server, and return a store in its bucket."""
    monkeypatch.setenv(KEY_ID, "key")
    monkeypatch.setenv(SECRET, "secret")
    known = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "S3_BUCKET": BUCKET}
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    local = ("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [WEED, "mini", f"-dir={tmp_path}", f"-s3.port={port}", *local],
            env=os.environ | known, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_until(lambda: answers(f"{address}/{BUCKET}"), "the S3 server")
        wait_until(lambda: "ready to use" in (tmp_path / "log").read_text(), "its bucket")
        yield Store("lake", f"s3://{BUCKET}/files", address, None, KEY_ID, SECRET)
    finally:
        server.kill()
        server.wait()


async def test_files_are_put_once_fetched_listed_and_removed(store: Store, tmp_path: Path):
    contents = {"a/year=2026/b.csv": b"content", "large": bytes(range(256)) * (PART_BYTES // 100)}
    for key, content in contents.items():
        hashed = hashlib.sha256(content).hexdigest()
        (tmp_path / "file").write_bytes(content)
        for _ in range(2):
            await put(store, key, tmp_path / "file", hashed)
        await get(store, key, fetched := tmp_path / hashed, hashed)
        assert fetched.read_bytes() == content

    other = hashlib.sha256(b"CONTENT").hexdigest()
    (tmp_path / "file").write_bytes(b"CONTENT")
    with pytest.raises(StoreFailed, match="is there with other content, which was left alone"):
        await put(store, "a/year=2026/b.csv", tmp_path / "file", other)

    after = await now(store) + timedelta(seconds=2)
    assert sorted([x async for keys in keys_before(store, after) for x in keys]) == [*contents]
    await delete(store, ["large", "gone"])
    assert [x async for keys in keys_before(store, after) for x in keys] == ["a/year=2026/b.csv"]
