"""JSON files of any form are split into lines of one object each."""

from __future__ import annotations

import codecs
import gzip
import json

import pytest

from headgate.errors import InvalidValue
from headgate.handlers.records import lines
from headgate.handlers.records.lines import blocks

RECORDS = [{"id": n, "text": 'ä "[{,\\ \n', "at": {"x": [n, None, {}]}} for n in range(500)]
ARRAY = json.dumps(RECORDS).encode()
LINES = "".join(json.dumps(x) + "\n" for x in RECORDS).encode()


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Return the records of a file with this content, read in blocks of this many bytes."""

    def read(content: bytes, size: int = 1000) -> list[object]:
        monkeypatch.setattr(lines, "BLOCK_BYTES", size)
        (tmp_path / "file").write_bytes(content)
        found = b"".join(blocks(tmp_path / "file"))
        return [json.loads(x) for x in found.split(b"\n") if x.strip()]

    return read


@pytest.mark.parametrize(
    "content",
    [
        ARRAY,
        json.dumps(RECORDS, indent=2, ensure_ascii=False).encode(),
        LINES,
        LINES.rstrip(),
        LINES.replace(b"\n", b"\r\n\n"),
        codecs.BOM_UTF8 + b"\n " + ARRAY,
        gzip.compress(ARRAY, mtime=0),
        gzip.compress(LINES, mtime=0),
    ],
    ids=["array", "indented", "lines", "no end", "CRLF", "BOM", "packed", "packed lines"],
)
@pytest.mark.parametrize("size", [10, 37, 1 << 20])
def test_each_form_has_the_same_records(records, content, size):
    assert records(content, size) == RECORDS


@pytest.mark.parametrize("content", [b"", b" \n", b"[]", b"[ ]"])
def test_an_empty_file_has_none(records, content):
    assert records(content) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"null\n", "a line is not a JSON object: null"),
        (b'{"a": 1}\n  5\n', "a line is not a JSON object:   5"),
        (b'[{"a": 1}', "the array is not JSON: no comma after an object at ''"),
        (b'[{"a": 1}, 5]', "the array is not JSON: no object at '5]'"),
        (b'[{"a": 1} {"a": 2}]', "the array is not JSON: no comma after an object"),
        (b'[{"a": }]', "the array is not JSON: Expecting value at '}]'"),
        (gzip.compress(LINES, mtime=0)[:-20], "the file is not a complete gzip file"),
    ],
)
def test_an_invalid_record_is_named(records, content, said):
    with pytest.raises(InvalidValue) as caught:
        records(content)
    assert said in str(caught.value)


@pytest.mark.parametrize("form", [b'[{"a": "%s"}]', b'{"a": "%s"}'])
def test_a_record_that_memory_cannot_hold_is_refused(records, monkeypatch, form):
    monkeypatch.setattr(lines, "LONGEST_RECORD", 10_000)
    with pytest.raises(InvalidValue, match=r"a record (of it|is) longer than 16 MB"):
        records(form % (b"x" * 50_000))
