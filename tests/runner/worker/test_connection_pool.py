"""A few connections execute all statements; a broken one is replaced and its statement repeated."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from headgate.errors import ServerUnreachable
from headgate.worker import connection_pool
from headgate.worker.connection_pool import ConnectionPool
from tests.limits import PATIENCE

END = "select pg_terminate_backend(%s)"


async def backend(queue) -> int:
    """Return the server process of a connection."""
    row = await (await queue.connection.execute("select pg_backend_pid() as pid")).fetchone()
    return int(row["pid"])


async def test_statements_share_so_many_connections(connections):
    async def slowly(queue) -> int:
        await queue.connection.execute("select pg_sleep(0.05)")
        return await backend(queue)

    pids = await asyncio.gather(*(connections.run(slowly) for _ in range(6)))

    assert len(set(pids)) == connections.size == 2


async def test_statements_one_after_the_other_need_a_single_connection(connections):
    assert await connections.run(backend) == await connections.run(backend)


async def test_a_broken_connection_is_replaced_and_the_statement_repeated(
    connections, core_plan, monkeypatch, caplog
):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", 0.01)
    tries = []

    async def once_broken(queue) -> int:
        tries.append(await backend(queue))
        if len(tries) == 1:
            core_plan.connection.execute(END, (tries[0],))
        try:
            return await backend(queue)
        except psycopg.OperationalError as exc:
            raise ServerUnreachable(str(exc)) from exc

    assert await connections.run(once_broken) == tries[1] != tries[0]
    assert "the database is back" in caplog.text


async def test_a_mistake_is_raised_at_once_and_the_connection_kept(connections):
    pid = await connections.run(backend)

    with pytest.raises(psycopg.errors.UndefinedTable):
        await connections.run(lambda queue: queue.connection.execute("select * from nowhere"))
    assert await connections.run(backend) == pid


async def test_a_statement_that_leaves_a_transaction_open_costs_its_connection(connections):
    pid = await connections.run(backend)
    await connections.run(lambda queue: queue.connection.execute("begin"))

    assert await connections.run(backend) != pid


async def test_a_runner_that_ends_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", 0.01)

    async def connect():
        raise ServerUnreachable("nobody is there")

    pool = ConnectionPool(connect, 1)
    pool.give_up_after(0.05)
    with pytest.raises(ServerUnreachable, match="did not come back in time"):
        await pool.run(backend)


async def test_a_connection_that_hangs_is_given_up_with_the_runner(monkeypatch):
    begun = asyncio.Event()

    async def connect():
        begun.set()
        await asyncio.Event().wait()

    pool = ConnectionPool(connect, 1)
    running = asyncio.create_task(pool.run(backend))
    await begun.wait()
    pool.give_up_after(0)

    with pytest.raises(ServerUnreachable, match="did not come back in time"):
        await running
    begun.clear()
    with pytest.raises(ServerUnreachable, match="did not come back in time"):
        await pool.run(backend)
    assert not begun.is_set(), "it is not tried again"


async def test_a_pause_between_tries_ends_with_the_runner(monkeypatch):
    monkeypatch.setattr(connection_pool, "FIRST_PAUSE", PATIENCE)
    tried = asyncio.Event()

    async def connect():
        tried.set()
        raise ServerUnreachable("nobody is there")

    pool = ConnectionPool(connect, 1)
    running = asyncio.create_task(pool.run(backend))
    await tried.wait()
    pool.give_up_after(0)

    with pytest.raises(ServerUnreachable, match="did not come back in time"):
        await running
    assert pool.given_up.is_set()
