"""The argument of a parser: an answer's body and headers.

    def prices(document: Document) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(document.text())))

A parser returns any value that JSON can hold: the payload of the operation's ingest function.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from headgate.charsets import codec_of, label_of

GZIP: Final = b"\x1f\x8b"
EITHER_HEADER: Final = 32 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Document:
    """An answer with a good status; `body` is without content encoding, but may be a .gz file."""

    body: bytes
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers by lowercase name."""

    @property
    def content_type(self) -> str:
        """Return the media type without parameters, in lower case; empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """Return the charset that the sender named, or an empty string."""
        return label_of(self.headers.get("content-type", ""))

    def data(self) -> bytes:
        """Return the body, unpacked if it is a gzip file. Raises ValueError if that is broken."""
        data, rest = b"", self.body
        while rest.startswith(GZIP):
            inflater = zlib.decompressobj(EITHER_HEADER)
            try:
                data += inflater.decompress(rest)
            except zlib.error as exc:
                raise ValueError(f"the gzip file is broken: {exc}") from None
            if not inflater.eof:
                raise ValueError("the gzip file is cut off")
            rest = inflater.unused_data
        return data or rest

    def text(self) -> str:
        """Return the body as text, decoded by its byte order mark, its charset, or else as UTF-8.

        Raises ValueError if the body cannot be decoded.
        """
        data = self.data()
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        try:
            return data.decode(codec_of(self.charset or "utf-8")).removeprefix("\ufeff")
        except LookupError:
            raise ValueError(f"the charset {self.charset!r} is not known") from None
