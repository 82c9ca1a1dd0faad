"""Data copied out of a database arrives in blocks of whole rows; test_staging.py covers binary."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import closing

import psycopg
import pytest

from headgate.database import connect
from headgate.worker import copying
from headgate.worker.copying import PIECE_BYTES, PIPE_BYTES, Unwanted, blocks, widen

NUMBERS = b"copy (select n from generate_series(1, 1000) as n) to stdout"


@pytest.fixture
def source(core_database):
    with closing(connect(core_database, "test")) as connection:
        yield connection


def test_rows_come_in_blocks(source, monkeypatch):
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100)
    monkeypatch.setattr(copying, "PIECE_BYTES", 10)
    found = list(blocks(source, NUMBERS, threading.Event()))

    assert b"".join(piece for pieces, _ in found for piece in pieces) == b"".join(
        b"%d\n" % n for n in range(1, 1001)
    )
    assert sum(count for _, count in found) == 1000
    assert len(found) > 10


def test_a_copy_ends_when_nobody_wants_it_any_more(source, monkeypatch):
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100)
    monkeypatch.setattr(copying, "PIECE_BYTES", 10)
    is_unwanted = threading.Event()
    with pytest.raises(Unwanted):
        for _ in blocks(source, NUMBERS, is_unwanted):
            is_unwanted.set()


def test_an_error_in_the_middle_of_a_copy_is_raised(source):
    query = b"copy (select 1 / (n - 900) from generate_series(1, 1000) as n) to stdout"
    with pytest.raises(psycopg.errors.DivisionByZero):
        list(blocks(source, query, threading.Event()))


def test_a_pipe_holds_several_pieces():
    ours, theirs = os.pipe()
    with open(ours, "rb"), open(theirs, "wb"):
        widen(theirs)

        assert fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ) == PIPE_BYTES > PIECE_BYTES


def test_a_file_in_a_pipes_place_is_left_as_it_is(tmp_path):
    with (tmp_path / "rows").open("wb") as file:
        widen(file.fileno())
