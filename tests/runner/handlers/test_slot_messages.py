"""Messages of pgoutput become CSV: which transactions belong to a job, and what cannot be read."""

from __future__ import annotations

import io
import struct

import pytest

from headgate.errors import InvalidValue
from headgate.handlers.slots import changes_of

COLUMNS = ["cdc_hour", "cdc_timestamp", "operation", "cdc_id", "id", "text"]
TABLE = 7


def begin(commit: int) -> bytes:
    return b"B" + struct.pack("!QqI", commit, 3_600_000_000, 1)


def relation(identity: bytes) -> bytes:
    column = struct.pack("!Ii", 25, -1)
    names = b"".join(b"\0%b\0%b" % (name, column) for name in (b"id", b"text"))
    return b"R" + struct.pack("!I", TABLE) + b"public\0notes\0" + identity + b"\0\2" + names


def row(*values: bytes) -> bytes:
    cells = b"".join(b"t" + struct.pack("!i", len(x)) + x for x in values)
    return struct.pack("!h", len(values)) + cells


def insert(*values: bytes) -> bytes:
    return b"I" + struct.pack("!I", TABLE) + b"N" + row(*values)


def read(*messages: tuple[int, bytes], until: str) -> list[str]:
    """Return the lines of messages, each with its place in the log."""
    copied = b"".join(
        struct.pack("!hiQ", 1, len(message) + 8, place) + message for place, message in messages
    )
    return changes_of(io.BytesIO(copied), COLUMNS, ["id"], until).read().decode().splitlines()


def test_a_transaction_whose_commit_begins_at_the_end_of_the_read_is_for_the_next_job():
    first = [(20, begin(0x100)), (10, relation(b"f")), (10, insert(b"1", b'say "a"'))]
    second = [(40, begin(0x200)), (30, insert(b"2", b""))]
    lines = [
        'year=2000/month=01/day=01/hour=01,2000-01-01 01:00:00+00:00,insert,10,"1","say ""a"""',
        'year=2000/month=01/day=01/hour=01,2000-01-01 01:00:00+00:00,insert,30,"2",""',
    ]

    assert read(*first, *second, until="0/100") == []
    assert read(*first, *second, until="0/101") == lines[:1]
    assert read(*first, *second, until="0/200") == lines[:1]
    assert read(*first, *second, until="1/0") == lines


def test_changes_at_one_place_have_numbers_of_their_own():
    rows = [(10, insert(b"1", b"a")), (10, insert(b"2", b"b")), (90, insert(b"3", b"c"))]
    lines = read((5, begin(1)), (10, relation(b"f")), *rows, until="1/0")

    assert [x.split(",")[3] for x in lines] == ["10", "11", "90"]


def test_an_update_of_a_table_that_does_not_log_whole_rows_is_refused_by_name():
    update = b"U" + struct.pack("!I", TABLE) + b"N" + row(b"1", b"b")
    with pytest.raises(InvalidValue, match=r"public\.notes did not log whole rows") as caught:
        read((5, begin(1)), (10, relation(b"d")), (10, update), until="1/0")

    assert "alter table public.notes replica identity full" in str(caught.value.hint)
