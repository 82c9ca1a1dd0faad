"""Rows of an input function go into a pipe, columns first; test_export.py covers whole runs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from headgate.database import connect
from headgate.worker import copying
from headgate.worker.copying import Unwanted
from headgate.worker.streams import feed, make_pipe

ROWS = """
    create function public.rows_of(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, n integer, t text) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], n, p_context ->> 'x' from generate_series(1, 3) as n
    $$
"""
DOCUMENTS = r"""
    create function public.documents(p_context jsonb, p_asset_ids bigint[])
    returns table (asset_id bigint, doc json, t text) language sql stable security definer
    set search_path = pg_catalog, pg_temp as $$
        select p_asset_ids[1], format(e'{\n"n":\r\n%s}', n)::json, e'\x01"\n\\.' from public.numbers
    $$;
    alter table public.numbers owner to headgate_owner;
    alter function public.documents owner to headgate_owner;
"""


@pytest.fixture
def feeding(core_database, core_plan, tmp_path):
    """Return the pipe, the thread that writes into it, and the event that stops it."""
    core_plan.sql(ROWS)
    core_plan.sql(
        "alter function public.rows_of owner to headgate_owner; alter schema public owner to headgate_owner"
    )
    pipe, is_unwanted = make_pipe(tmp_path), threading.Event()
    open_source = partial(connect, core_database, "input")

    def begin(form="csv", function="public.rows_of"):
        pool = ThreadPoolExecutor(1)
        work = pool.submit(feed, open_source, pipe, function, form, {"x": "a,\n"}, 7, is_unwanted)
        pool.shutdown(wait=False)
        return work

    return pipe, begin, is_unwanted


def test_columns_come_first_then_rows_as_csv(feeding):
    pipe, begin, _ = feeding
    work = begin()
    with pipe.open("rb") as stream:
        assert json.loads(stream.readline()) == {"columns": [["n", 23], ["t", 25]]}
        assert stream.read() == b'1,"a,\n"\n2,"a,\n"\n3,"a,\n"\n'
    work.result()


def test_as_json_a_row_is_a_line(feeding):
    pipe, begin, _ = feeding
    work = begin("json")
    with pipe.open("rb") as stream:
        stream.readline()
        assert [json.loads(x) for x in stream] == [{"n": n, "t": "a,\n"} for n in (1, 2, 3)]
    work.result()


@pytest.mark.parametrize("rows", [0, 1000])
def test_a_row_is_one_line_whatever_its_json_is(feeding, core_plan, monkeypatch, rows):
    monkeypatch.setattr(copying, "BLOCK_BYTES", 100)
    monkeypatch.setattr(copying, "PIECE_BYTES", 10)
    core_plan.sql(
        "create table public.numbers as select n from generate_series(1, %(rows)s) as n", rows=rows
    )
    core_plan.sql(DOCUMENTS)
    pipe, begin, _ = feeding
    work = begin("json", "public.documents")
    with pipe.open("rb") as stream:
        stream.readline()
        found = [json.loads(x) for x in stream]
    work.result()
    assert found == [{"doc": {"n": n}, "t": '\x01"\n\\.'} for n in range(1, rows + 1)]


def test_a_handler_that_reads_nothing_is_not_waited_for(feeding):
    _, begin, is_unwanted = feeding
    work = begin()
    is_unwanted.set()
    with pytest.raises(Unwanted):
        work.result()


def test_a_handler_that_stops_to_read_ends_it(feeding, monkeypatch):
    monkeypatch.setattr(copying, "BLOCK_BYTES", 1)
    monkeypatch.setattr(copying, "PIECE_BYTES", 1)
    pipe, begin, _ = feeding
    work = begin()
    with pipe.open("rb") as stream:
        stream.readline()
    try:
        work.result()
    except Unwanted:
        pass


def test_a_function_that_may_not_be_called_is_named(feeding):
    pipe, begin, _ = feeding
    work = begin(function="public.unknown")
    with pipe.open("rb") as stream:
        assert stream.read() == b""
    assert "public.unknown is not called" in str(work.exception())
