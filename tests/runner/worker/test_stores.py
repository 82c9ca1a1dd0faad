"""Stores: a folder, and a bucket of a real S3 server on 127.0.0.1."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest

from headgate.demo.services import Ask, Reply, StandIn, running
from headgate.errors import SecretMissing
from headgate.files import DiskFull
from headgate.worker.chunks import Store
from headgate.worker.stores import (
    PART_BYTES,
    SKEWED,
    StoreFailed,
    delete,
    get,
    key_of,
    keys_before,
    look_into,
    now,
    put,
)
from tests.buckets import KEY_ID, SECRET, S3Server
from tests.servers import free_port

KEY = "a/year=2026/b.csv"


def hash_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path) -> tuple[Store, Path]:
    """Return a store, and the folder of its files."""
    if request.param == "folder":
        return Store("lake", f"file://{tmp_path}/lake"), tmp_path / "lake"
    server = request.getfixturevalue("s3")
    bucket = server.bucket()
    return in_bucket(server, f"{bucket}/lake"), server.folder / bucket / "lake"


def in_bucket(server: S3Server, place: str) -> Store:
    return Store("lake", f"s3://{place}", server.address, None, KEY_ID, SECRET)


@pytest.fixture
def file(tmp_path) -> Path:
    place = tmp_path / "file"
    place.write_bytes(b"content")
    return Path(place)


async def test_a_file_is_under_its_key(store, file):
    await put(store[0], KEY, file, hash_of(b"content"))

    assert (store[1] / KEY).read_bytes() == b"content"


async def test_a_large_file_goes_in_parts(store, file):
    content = bytes(range(256)) * (PART_BYTES // 100)
    file.write_bytes(content)
    await put(store[0], KEY, file, hash_of(content))

    assert (store[1] / KEY).read_bytes() == content


async def test_an_empty_file_is_put_like_any_other(store, file):
    file.write_bytes(b"")
    await put(store[0], KEY, file, hash_of(b""))

    assert (store[1] / KEY).read_bytes() == b""


async def test_a_file_that_is_there_is_not_put_again(store, file):
    await put(store[0], KEY, file, hash_of(b"content"))
    before = (store[1] / KEY).stat().st_mtime_ns
    await put(store[0], KEY, file, hash_of(b"content"))

    assert (store[1] / KEY).stat().st_mtime_ns == before


@pytest.mark.parametrize("other", [b"longer content", b"CONTENT"])
async def test_other_content_is_left_alone(store, file, other):
    await put(store[0], KEY, file, hash_of(b"content"))
    file.write_bytes(other)

    with pytest.raises(StoreFailed, match="is there with other content, which was left alone"):
        await put(store[0], KEY, file, hash_of(other))
    assert (store[1] / KEY).read_bytes() == b"content"


async def test_a_bucket_that_is_gone_is_named(s3, file):
    store = in_bucket(s3, "gone/lake")
    with pytest.raises(StoreFailed, match=r"^store lake: there is no s3://gone/lake$"):
        await put(store, KEY, file, hash_of(b"content"))


async def test_a_bucket_that_is_gone_is_not_taken_for_a_key_that_is(s3, tmp_path):
    with pytest.raises(StoreFailed, match=r"^store lake: there is no s3://gone/lake$"):
        await get(in_bucket(s3, "gone/lake"), KEY, tmp_path / "fetched", hash_of(b""))


async def test_a_key_that_is_gone_and_one_with_other_content_are_named(store, file, tmp_path):
    await put(store[0], "other", file, hash_of(b"content"))

    with pytest.raises(StoreFailed, match=f"{KEY} is gone, though it has its row in v_artifacts"):
        await get(store[0], KEY, tmp_path / "gone", hash_of(b"content"))
    with pytest.raises(StoreFailed, match="other has other content than was put there"):
        await get(store[0], "other", tmp_path / "changed", hash_of(b"CONTENT"))


async def test_a_disk_that_fills_while_a_file_is_fetched_is_the_runners_own(
    store, file, tmp_path, monkeypatch
):
    await put(store[0], KEY, file, hash_of(b"content"))
    full = open("/dev/full", "wb")
    monkeypatch.setattr(Path, "open", lambda *_: full)

    with pytest.raises(DiskFull, match=r"^no space is left for files in .*TMPDIR"):
        await get(store[0], KEY, tmp_path / "fetched", hash_of(b"content"))


def skewed(ask: Ask) -> Reply:
    """Answer as S3 does when it is another time there; an answer to HEAD has no body."""
    said = f"<Code>{SKEWED}</Code><Message>Too far.</Message><ServerTime>2026-11-30</ServerTime>"
    body = f'<?xml version="1.0"?>\n<Error>{said}</Error>' if ask.method != "HEAD" else ""
    return Reply(body.encode(), 403, {"Content-Type": "application/xml"})


async def test_a_server_for_which_it_is_another_time_says_so(s3, file, tmp_path):
    routes = {(x, f"/bucket/{KEY}"): skewed for x in ("HEAD", "PUT")}
    with running([StandIn("s3", routes, rest=skewed)]) as servers:
        store = Store("lake", "s3://bucket", servers["s3"].url, None, KEY_ID, SECRET)
        said = (
            f"^store lake: {KEY}: {SKEWED}: set this machine's clock; the server's says 2026-11-30$"
        )
        with pytest.raises(StoreFailed, match=said):
            await put(store, KEY, file, hash_of(b"content"))
        with pytest.raises(StoreFailed, match=said):
            await get(store, KEY, tmp_path / "fetched", hash_of(b"content"))
        with pytest.raises(StoreFailed, match=f"its list of keys: {SKEWED}: set this machine's"):
            await look_into(store)


async def test_a_server_that_does_not_answer_is_named(file, monkeypatch):
    monkeypatch.setenv("LAKE_ID", "id")
    address = f"http://127.0.0.1:{free_port()}"
    store = Store("lake", "s3://bucket", address, None, "LAKE_ID", "LAKE_ID")
    with pytest.raises(
        StoreFailed, match=f"^store lake: {KEY}: .*{address}.*error sending request"
    ):
        await put(store, KEY, file, hash_of(b"content"))


async def test_a_secret_that_is_not_set_is_named(file):
    store = Store("lake", "s3://bucket", "http://127.0.0.1:1", None, "NO_ID", "NO_SECRET")
    with pytest.raises(SecretMissing, match="store lake: the secret NO_ID is not set"):
        await put(store, KEY, file, hash_of(b"content"))


async def test_a_pod_of_eks_has_the_rights_of_its_role_and_no_key(s3, file, tmp_path, monkeypatch):
    """The agent of the node hands out keys that pass; the pod shows it the token of its service account."""
    asked: list[Ask] = []

    def hand_out(ask: Ask) -> Reply:
        asked.append(ask)
        keys = {"AccessKeyId": "pod", "SecretAccessKey": "secret", "Token": "session"}
        return Reply(json.dumps({**keys, "Expiration": "2099-01-01T00:00:00Z"}).encode())

    (tmp_path / "token").write_text("the-pod-s")
    with running([StandIn("agent", {("GET", "/v1/credentials"): hand_out})]) as servers:
        monkeypatch.setenv(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{servers['agent'].url}/v1/credentials"
        )
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
        bucket = s3.bucket()
        await put(Store("lake", f"s3://{bucket}", s3.address), KEY, file, hash_of(b"content"))

    assert (s3.folder / bucket / KEY).read_bytes() == b"content"
    assert {x.headers["Authorization"] for x in asked} == {"the-pod-s"}


async def test_a_folder_that_cannot_be_made_is_named(file, tmp_path):
    with pytest.raises(StoreFailed, match="store lake: "):
        await put(Store("lake", f"file://{file}/lake"), KEY, file, hash_of(b"content"))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("a.csv", "a-0123456789abcdef.csv"),
        ("b/c.tar.gz", "b/c-0123456789abcdef.tar.gz"),
        ("b.d/c", "b.d/c-0123456789abcdef"),
        (".hidden", "-0123456789abcdef.hidden"),
    ],
)
def test_a_key_has_the_hash_before_the_first_dot(name, key):
    assert key_of(name, "0123456789abcdef" * 4) == key


async def test_looking_into_a_store_changes_nothing(store, file):
    await put(store[0], KEY, file, hash_of(b"content"))
    before = sorted(store[1].rglob("*"))
    await look_into(store[0])

    assert sorted(store[1].rglob("*")) == before


async def test_a_folder_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(StoreFailed, match="store lake: there is no file://"):
        await look_into(Store("lake", f"file://{tmp_path}/none"))
    assert not (tmp_path / "none").exists()


async def test_keys_are_listed_by_the_store_s_own_clock_and_removed(store, file):
    for key in ("a/1", "b/2"):
        await put(store[0], key, file, hash_of(b"content"))
    after = await now(store[0]) + timedelta(seconds=2)
    found = [x async for keys in keys_before(store[0], after) for x in keys]

    assert sorted(found) == ["a/1", "b/2"]
    assert [x async for x in keys_before(store[0], after - timedelta(days=1))] == []
    await delete(store[0], ["a/1", "gone"])
    assert [x async for keys in keys_before(store[0], after) for x in keys] == ["b/2"]
