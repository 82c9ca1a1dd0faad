"""Decodes content encodings in pieces of at most 64 KiB, whatever the compression ratio."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from headgate.charsets import is_charset
from headgate.worker.payloads import BadPayload, Unstorable

STEP: Final = 65_536
MAX_LAYERS: Final = 3
GZIP: Final = ("gzip", "x-gzip")
NONE: Final = ("", "identity", "none")
GZIP_WINDOW: Final = zlib.MAX_WBITS | 16
GZIP_MAGIC: Final = b"\x1f"
ACCEPTED: Final = "gzip, deflate"


class Inflater:
    """Decodes the encodings that an answer's Content-Encoding headers name, the last one first."""

    def __init__(self, headers: Sequence[str], limit: int) -> None:
        names = [x.strip().lower() for header in headers for x in header.split(",")]
        # Some servers name a charset here. It is not a content encoding, and is ignored.
        names = [x for x in names if x not in NONE and not is_charset(x)]
        if unknown := [x for x in names if x not in (*GZIP, "deflate")]:
            raise Unstorable(f"the answer is encoded as {unknown[0]!r}, which was not requested")
        if len(names) > MAX_LAYERS:
            raise Unstorable(f"the answer is encoded {len(names)} times over")
        self._limit = limit
        self._between = 0
        self._layers = [_Layer(is_gzip=x in GZIP) for x in reversed(names)]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded content of a piece of the body."""
        return self._through(data, 0)

    def finish(self) -> None:
        """Raise BadPayload if the body is incomplete."""
        for layer in self._layers:
            layer.finish()

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield data
            return
        self._between += len(data)
        if self._between > len(self._layers) * self._limit:
            raise Unstorable(f"the answer is larger than {self._limit} bytes")
        try:
            for piece in self._layers[depth].feed(data):
                yield from self._through(piece, depth + 1)
        except zlib.error as exc:
            raise BadPayload("the answer's encoding is broken") from exc


class _Layer:
    """One encoding: a sequence of gzip members, or one deflate stream."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._engine: Any = None  # zlib does not name its type
        self._head = b""
        self._has_ended = False
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data and (self._engine is not None or self._begins(data)):
            data, self._head = self._head + data, b""
            piece = self._engine.decompress(data, STEP)
            while len(piece) == STEP:
                yield piece
                piece = self._engine.decompress(self._engine.unconsumed_tail, STEP)
            if piece:
                yield piece
            data = self._engine.unused_data
            if self._engine.eof:
                self._engine, self._has_ended = None, True

    def finish(self) -> None:
        if self._engine is not None or self._head:
            raise BadPayload("the answer's encoding is broken: it ends too early")

    def _begins(self, data: bytes) -> bool:
        """Begin a stream or another gzip member; return False for padding after the last one."""
        if self._has_ended and not (self._is_gzip and data.startswith(GZIP_MAGIC)):
            self._is_over = True
        if self._is_over:
            return False
        start = self._head + data[:2]
        if not self._is_gzip and len(start) < 2:
            self._head = start
            return False
        self._engine = zlib.decompressobj(GZIP_WINDOW if self._is_gzip else _window(start))
        return True


def _window(start: bytes) -> int:
    """Return zlib's wbits for a deflate stream: wrapped by zlib, or raw, which is as common."""
    is_wrapped = start[0] & 0x0F == 8 and int.from_bytes(start[:2]) % 31 == 0
    return zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS
