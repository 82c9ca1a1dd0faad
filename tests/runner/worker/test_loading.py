"""Rows from a handler's pipe into a stage: in pieces, and only whole rows."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from headgate.database import connect
from headgate.handlers import PIECE_LENGTH
from headgate.worker.chunks import Stage
from headgate.worker.copying import Unwanted
from headgate.worker.loading import drain, make_pipe
from headgate.worker.payloads import Unstorable
from tests.plan import Plan

STAGE = Stage("kept", (("n", "integer", 23),))


def row(n: int) -> bytes:
    """Return a row of the stage in binary: chunk 1, lease 1, asset 1, and n."""
    return struct.pack(">h iq ii iq ii", 4, 8, 1, 4, 1, 8, 1, 4, n)


def piece(*numbers: int) -> bytes:
    rows = b"".join(map(row, numbers))
    return PIECE_LENGTH.pack(len(rows)) + rows


@pytest.fixture
def plan(core_plan) -> Plan:
    core_plan.sql(
        "create table headgate_stage.kept (chunk_id bigint, lease_no integer, asset_id bigint, n integer check (n < 9))"
    )
    return Plan(core_plan.connection)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    return make_pipe(tmp_path)


@contextmanager
def written(pipe: Path, content: bytes) -> Iterator[None]:
    """Write to the pipe as a handler does, once it is read."""

    def write() -> None:
        with open(pipe, "wb") as stream:
            stream.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    yield
    thread.join()


@pytest.fixture
def target(core_database) -> Callable[[], psycopg.Connection[Any]]:
    return partial(connect, core_database, "staging")


def staged(plan: Plan) -> list[int]:
    return [x["n"] for x in plan.sql("select n from headgate_stage.kept order by n")]


def test_all_pieces_are_copied(plan, pipe, target):
    with written(pipe, piece(1, 2) + piece(3)):
        drain(target, pipe, STAGE, threading.Event())

    assert staged(plan) == [1, 2, 3]


def test_a_piece_that_is_cut_is_not_copied_and_those_before_it_bear_a_token(plan, pipe, target):
    with written(pipe, piece(1, 2) + piece(3)[:-1]), pytest.raises(Unwanted):
        drain(target, pipe, STAGE, threading.Event())

    assert staged(plan) in ([], [1, 2])


def test_a_row_that_does_not_fit_is_the_data_s_fault(plan, pipe, target):
    with written(pipe, piece(9)), pytest.raises(Unstorable, match="a row does not fit the stage: "):
        drain(target, pipe, STAGE, threading.Event())


def test_a_handler_that_has_written_nothing_needs_no_connection(pipe):
    is_over = threading.Event()
    is_over.set()
    drain(partial(pytest.fail, "no connection was needed"), pipe, STAGE, is_over)


def test_a_pipe_is_for_its_user_alone(pipe):
    assert os.stat(pipe).st_mode & 0o777 == 0o600
