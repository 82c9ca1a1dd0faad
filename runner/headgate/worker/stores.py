"""Puts, lists and deletes files in stores: folders, or buckets of an S3-compatible server.

A key contains the start of its content's hash. So no runner overwrites another runner's file, and a
file that is put again, after a crash or by a runner that has lost its lease, is already there. Only
the row that is committed with the job makes the file an artifact.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from headgate.errors import HeadgateError
from headgate.files import refuse_full_disk
from headgate.secret_files import require_secret
from headgate.shown import learn
from headgate.worker.chunks import Store

Opened: TypeAlias = LocalStore | S3Store

PART_BYTES: Final = 8 * 1024 * 1024
"""Files up to this size are put in one request, larger ones in parts."""
PARTS_AT_ONCE: Final = 2
HASH_DIGITS: Final = 16
HASHED: Final = re.compile(rf"[^/.]*-[0-9a-f]{{{HASH_DIGITS}}}(\.[^/]*)?")
"""The last part of a key."""
KEYS_AT_ONCE: Final = 1000
CLOCK: Final = ".headgate-clock"
"""The key of an object that is put to read the store's own clock."""
RETRIES: Final[Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
TIMEOUTS: Final = {"connect_timeout": "5s", "timeout": "120s"}
REFUSED: Final = (PermissionDeniedError, UnauthenticatedError)
NO_BUCKET: Final = "NoSuchBucket"
SKEWED: Final = "RequestTimeTooSkewed"
EFFORT: Final = re.compile(r" in [\d.]+\S+ .*?- ")
"""The time that obstore spent on retries, which differs from error to error."""


class StoreFailed(HeadgateError):
    """A store did not do what it was asked."""


def key_of(name: str, sha256: str) -> str:
    """Return a file's key: its name, with the start of its hash before the first dot."""
    folder, slash, base = name.rpartition("/")
    stem, dot, suffix = base.partition(".")
    return f"{folder}{slash}{stem}-{sha256[:HASH_DIGITS]}{dot}{suffix}"


def is_ours(key: str) -> bool:
    """Return whether `key_of` may have made a key."""
    return HASHED.fullmatch(key.rpartition("/")[2]) is not None


async def put(store: Store, key: str, path: Path, sha256: str) -> None:
    """Put a file unless it is there. Raises StoreFailed, also if its key has other content."""
    with _told(store, key):
        opened = _open(store)
        size = await asyncio.to_thread(os.path.getsize, path)
        found = await _size(opened, key)
        if found is None:
            await obstore.put_async(
                opened, key, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE
            )
        elif found != size or await _hash(opened, key) != sha256:
            raise StoreFailed(
                f"store {store.name}: {key} is there with other content, which was left alone",
                hint="remove it, or rename the artifact",
            )


async def get(store: Store, key: str, path: Path, sha256: str) -> None:
    """Fetch a key's content into a new file. Raises StoreFailed if its hash is wrong, DiskFull."""
    digest = hashlib.sha256()
    with _told(store, key):
        try:
            answer = await obstore.get_async(_open(store), key)
        except FileNotFoundError as exc:
            await look_into(store)
            raise StoreFailed(
                f"store {store.name}: {key} is gone, though it has its row in v_artifacts",
                hint="make it again, or bring it back from a backup",
            ) from exc
        with path.open("xb") as file:
            async for block in answer.stream(min_chunk_size=PART_BYTES):
                digest.update(block)
                await asyncio.to_thread(file.write, block)
    if digest.hexdigest() != sha256:
        raise StoreFailed(
            f"store {store.name}: {key} has other content than was put there",
            hint="make the file again; somebody else writes to this store",
        )


async def look_into(store: Store) -> None:
    """Check that a store can be read, changing nothing. Raises StoreFailed, SecretMissing."""
    with _told(store, "its list of keys"):
        folder = store.url.removeprefix("file://")
        if folder != store.url and not os.path.isdir(folder):
            raise FileNotFoundError
        await _list_one(_open(store))


async def now(store: Store) -> datetime:
    """Return the time of the store's own clock, by putting an object there."""
    with _told(store, CLOCK):
        opened = _open(store)
        await obstore.put_async(opened, CLOCK, b"")
        return (await obstore.head_async(opened, CLOCK))["last_modified"]


async def keys_before(store: Store, before: datetime) -> AsyncIterator[list[str]]:
    """Yield lists of the keys that were put before a time."""
    with _told(store, "its list of keys"):
        async for found in obstore.list(_open(store), chunk_size=KEYS_AT_ONCE):
            keys = [x["path"] for x in found if x["last_modified"] < before and x["path"] != CLOCK]
            if keys:
                yield keys


async def delete(store: Store, keys: Sequence[str]) -> None:
    """Delete these keys; keys that do not exist are ignored."""
    with _told(store, "what is to be removed"):
        opened = _open(store)
        for key in keys:
            with suppress(FileNotFoundError):
                await obstore.delete_async(opened, key)


def _open(store: Store) -> Opened:
    scheme, _, place = store.url.partition("://")
    if scheme == "file":
        return LocalStore(place, mkdir=True)
    bucket, _, prefix = place.partition("/")
    settings: dict[str, Any] = {
        "endpoint": store.endpoint,
        "access_key_id": _secret(store, store.key_id_name),
        "secret_access_key": _secret(store, store.secret_name),
        "client_options": {
            **TIMEOUTS,
            "allow_http": (store.endpoint or "").startswith("http:"),
        },
    }
    return S3Store(
        bucket,
        prefix=prefix or None,
        region=store.region or "us-east-1",
        retry_config=RETRIES,
        disable_bulk_delete=True,  # not every server supports it
        **{name: value for name, value in settings.items() if value is not None},
    )


def _secret(store: Store, name: str | None) -> str | None:
    if name is None:
        return None
    secret = require_secret(name, f"store {store.name}: the secret")
    learn(secret)
    return secret


async def _size(opened: Opened, key: str) -> int | None:
    """Return the size in bytes of a key's content; None if the key does not exist."""
    try:
        return (await obstore.head_async(opened, key))["size"]
    except FileNotFoundError:
        return None
    except REFUSED:
        await _list_one(opened)  # raises, too, and says why: an answer to HEAD has no body
        raise


async def _list_one(opened: Opened) -> None:
    async for _ in obstore.list(opened, chunk_size=1):
        break


async def _hash(opened: Opened, key: str) -> str:
    digest = hashlib.sha256()
    answer = await obstore.get_async(opened, key)
    async for block in answer.stream(min_chunk_size=PART_BYTES):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def _told(store: Store, key: str) -> Iterator[None]:
    """Turn errors into a StoreFailed of one line that names the store, without obstore's dumps."""
    try:
        yield
    except FileNotFoundError as exc:
        raise StoreFailed(f"store {store.name}: there is no {store.url}") from exc
    except (OSError, ValueError, BaseError) as exc:
        refuse_full_disk(exc)  # the runner's: that of a store is an error of obstore
        raise StoreFailed(f"store {store.name}: {_said(exc, store, key)}") from exc


def _said(exc: Exception, store: Store, key: str) -> str:
    """Return what an S3 server has answered, or the error's first line."""
    text = str(exc)
    code, message, time = (
        found[1] if (found := re.search(f"<{x}>(.*?)</{x}>", text, re.DOTALL)) else ""
        for x in ("Code", "Message", "ServerTime")
    )
    if code == NO_BUCKET:
        return f"there is no {store.url}"
    if code == SKEWED:
        message = f"set this machine's clock; the server's says {time or 'something else'}"
    answer = f"{code}: {message}" if code else EFFORT.sub(": ", text.partition("\n")[0].strip())
    return f"{key}: {answer or type(exc).__name__}"
