"""Decodes what a replication slot says of a table's changes into the CSV that handlers read.

The messages are those of pgoutput (protocol 1, values as text), PostgreSQL's own plugin, because it
is on every server. They come as rows of a binary COPY, each with its place in the server's log.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, BinaryIO, Final, TypeAlias, cast

from headgate.errors import InvalidValue

OWN: Final = 4
"""Columns before those of the table: hour, time, operation and number of the change."""
ROW: Final = Struct("!hi")
PLACE: Final = Struct("!Q")
BEGIN: Final = Struct("!Qq")
COUNT: Final = Struct("!h")
LENGTH: Final = Struct("!i")
COLUMN: Final = Struct("!Ii")
TEXT: Final = ord("t")
NULL: Final = ord("n")
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
Values: TypeAlias = list[bytes | None]
"""A row's values by column, as text."""
UNCHANGED: Final = b"\0"
"""Stands for a large value that an update leaves as it was; no text contains it."""


def changes_of(
    stream: BinaryIO, columns: Sequence[str], key: Sequence[str], until: str
) -> BinaryIO:
    """Return the changes as CSV, without transactions whose commit begins at `until` or later."""
    high, _, low = until.partition("/")
    decoder = _Decoder(list(columns[OWN:]), list(key), int(high, 16) << 32 | int(low, 16))
    return cast(BinaryIO, io.BufferedReader(_Lines(decoder.lines(_rows(stream))), 1 << 20))


def _rows(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the only value of each row of a binary COPY without head and end."""
    while head := stream.read(ROW.size):
        yield stream.read(ROW.unpack(head)[1])


class _Lines(io.RawIOBase):
    """A file of lines that are yet to be made."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        super().__init__()
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = len(buffer)
        parts, size = [self._rest], len(self._rest)
        while size < room and (line := next(self._lines, b"")):
            parts.append(line)
            size += len(line)
        data = b"".join(parts)
        self._rest = data[room:]
        buffer[: min(room, size)] = data[:room]
        return min(room, size)


class _Table:
    """A table as it was when it was written: where its columns are among those of the file."""

    def __init__(self, message: bytes, columns: list[str], key: list[str]) -> None:
        at = message.index(b"\0", message.index(b"\0", 5) + 1) + 1
        self.has_whole_rows = message[at : at + 1] == b"f"
        self.name = ".".join(x.decode() for x in message[5 : at - 1].split(b"\0"))
        names = list(_names(message, at + 1))
        places = {name: place for place, name in enumerate(names)}
        self.places = [places.get(name) for name in columns]
        self.key = [places[name] for name in key if name in places]

    def row(self, values: Values) -> Values:
        """Return the values in the file's order; a column that the table did not have is null."""
        return [None if place is None else values[place] for place in self.places]


def _names(message: bytes, at: int) -> Iterator[str]:
    (count,) = COUNT.unpack_from(message, at)
    at += COUNT.size
    for _ in range(count):
        end = message.index(b"\0", at + 1)
        yield message[at + 1 : end].decode()
        at = end + 1 + COLUMN.size


class _Decoder:
    def __init__(self, columns: list[str], key: list[str], until: int) -> None:
        self._columns = columns
        self._key = key
        self._until = until
        self._tables: dict[bytes, _Table] = {}
        self._prefix = b""
        self._place = b""
        self._nth = 0

    def lines(self, rows: Iterator[bytes]) -> Iterator[bytes]:
        """Yield a line of CSV for each change, up to the first transaction that is left out."""
        for row in rows:
            message = row[PLACE.size :]
            match message[:1]:
                case b"I" | b"U" | b"D":
                    for operation, values in self._changes(message):
                        yield self._line(operation, row, values)
                case b"B":
                    commit, microseconds = BEGIN.unpack_from(message, 1)
                    if commit >= self._until:
                        break
                    at = EPOCH + timedelta(microseconds=microseconds)
                    self._prefix = f"{at:year=%Y/month=%m/day=%d/hour=%H},{at},".encode()
                case b"R":
                    self._tables[message[1:5]] = _Table(message, self._columns, self._key)
                case b"T":
                    yield self._line(b"truncate", row, [None] * len(self._columns))
        for _ in rows:
            pass  # lest the writer's pipe breaks

    def _line(self, operation: bytes, row: bytes, values: Values) -> bytes:
        """Return a change's line, numbered by its place, which has more bytes than changes."""
        place = row[: PLACE.size]
        self._nth = self._nth + 1 if place == self._place else 0
        self._place = place
        number = PLACE.unpack(place)[0] + self._nth
        cells = [b"" if x is None else b'"%b"' % x.replace(b'"', b'""') for x in values]
        return b"%b%b,%d,%b\n" % (self._prefix, operation, number, b",".join(cells))

    def _changes(self, message: bytes) -> Iterator[tuple[bytes, Values]]:
        """Yield the change, or two: a change of a row's key is a delete and an insert."""
        table = self._tables[message[1:5]]
        kind = message[:1]
        if kind == b"I":
            yield b"insert", table.row(_values(message, 6)[0])
            return
        if not table.has_whole_rows:
            raise InvalidValue(
                f"{table.name} did not log whole rows: which row was changed or deleted is lost",
                hint=f"alter table {table.name} replica identity full; drop the slot that "
                "headgate.v_changes names; headgate doctor --fix exports changes from then on",
            )
        old, at = _values(message, 6)
        if kind == b"D":
            yield b"delete", table.row(old)
            return
        new, _ = _values(message, at + 1)
        new = [y if x is UNCHANGED else x for x, y in zip(new, old, strict=True)]
        if any(new[x] != old[x] for x in table.key):
            yield b"delete", table.row(old)
            yield b"insert", table.row(new)
        else:
            yield b"update", table.row(new)


def _values(message: bytes, at: int) -> tuple[Values, int]:
    """Return a row's values, and where it ends."""
    (count,) = COUNT.unpack_from(message, at)
    at += COUNT.size
    values: Values = []
    for _ in range(count):
        kind = message[at]
        at += 1
        if kind == TEXT:
            start = at + LENGTH.size
            at = start + LENGTH.unpack_from(message, at)[0]
            values.append(message[start:at])
        else:
            values.append(None if kind == NULL else UNCHANGED)
    return values, at
