"""Broken answers: a corpus of answers that providers have sent, and ways to spoil a valid one."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from hypothesis import strategies as st

DEEP: Final = "[" * 5_000 + "]" * 5_000
HOSTILE: Final[tuple[Any, ...]] = (
    None, True, [], {}, [[]], {"deep": {"er": [1]}}, "", " ", "N/A", "NaN", "-Infinity", "null", "None",
    0, -1, 1e308, -1e308, 1e-320, 10**400, 2**63, 0.1 + 0.2, "1,234.5", "1e999", "0x10", "١٢", "\u0000", "\ud800",
    "2026-02-30", "0000-00-00", "0001-01-01", "99999-12-31", "infinity", "2026-06-15T25:00:00Z", "15/06/2026",
    "x" * 100_000, "'; drop table equities.prices; --", "%s%n{0}", "../../etc/passwd", "\r\nX: y", "\\", '"',
)  # fmt: skip
CORPUS: Final[tuple[bytes, ...]] = (
    b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[null]", b"[[]]", b"[{}]", b"[0]", b'["a"]', b"NaN",
    b"<html><h1>502 Bad Gateway</h1></html>", b"Date,Open\n2026-06-15,1", b"\xef\xbb\xbf[]", b"\xff\xfe[\x00]\x00",
    b"[\x00]", b'["\\u0000"]', b'["\\ud800"]', DEEP.encode(), b'{"a":' * 3_000 + b"1" + b"}" * 3_000, b"[1,]", b"[1]x",
    b'[{"date":"2026-06-15"}]', b'[{"date":null}]', b'{"warning":"limited"}', b'{"General":null}', b'{"General":[]}',
    b'{"General":{"Code":null}}', b'{"Highlights":"NA"}', b"[" + b"1," * 50_000 + b"1]",
    b'[{"date":"2026-06-15","open":1,"open":2,"high":3,"low":1,"close":2,"adjusted_close":2,"volume":1}]',
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, healthy: bytes) -> bytes:
    """Draw an answer from the corpus, or spoil a valid one: its values, its shape or its bytes."""
    how = draw(
        st.sampled_from(("corpus", "value", "value", "value", "gone", "twice", "bytes", "cut"))
    )
    if how == "corpus":
        return draw(st.sampled_from(CORPUS))
    if how == "cut":
        return healthy[: draw(st.integers(0, len(healthy) - 1))]
    if how == "bytes":
        body = bytearray(healthy)
        for _ in range(draw(st.integers(1, 4))):
            body[draw(st.integers(0, len(body) - 1))] = draw(st.integers(0, 255))
        return bytes(body)
    document = json.loads(healthy)
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, document, how)
    return json.dumps(document).encode()


def _change(draw: st.DrawFn, document: Any, how: str) -> None:
    """Change a random place of a document."""
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.integers(0, 5)) == 0:
            break
        place = inner
    if how == "value":
        place[key] = copy.deepcopy(draw(st.sampled_from(HOSTILE)))
    elif how == "gone":
        del place[key]
    elif isinstance(place, list):
        place.append(copy.deepcopy(inner))
    else:
        place[f"{key} "] = copy.deepcopy(inner)
