"""Concurrent sessions: checks which one waits for a lock, and that none waits forever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg

from tests.limits import PATIENCE, wait_until
from tests.plan import Plan

WAITS: LiteralString = "select cardinality(pg_blocking_pids(%(pid)s)) > 0"

LIVES: LiteralString = "select count(*) > 0 from pg_stat_activity where pid = %(pid)s"


@contextmanager
def meanwhile(what: Callable[[], Any], caller: Plan, witness: Plan) -> Iterator[list[Any]]:
    """Call a function of another session in a thread; enter the block once it waits for a lock or is done.

    The yielded list holds its result or error after the block.
    """
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(_answer(what)), daemon=True)
    thread.start()
    waits(caller, witness, answers)
    yield answers
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it waits for ever"


def waits(caller: Plan, witness: Plan, answers: list[Any]) -> bool:
    """Wait until a session waits for a lock or is done; return whether it waits."""
    pid = caller.connection.info.backend_pid
    wait_until(lambda: answers or witness.scalar(WAITS, pid=pid), "an answer or a lock")
    return not answers


def close(session: Plan, witness: Plan) -> None:
    """Close a session within its transaction; return when the server has released its locks."""
    pid = session.connection.info.backend_pid
    session.connection.close()
    wait_until(lambda: not witness.scalar(LIVES, pid=pid), "the end of a session")


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run all jobs at the same moment; return their results or errors, in order."""
    barrier = threading.Barrier(len(jobs))
    answers: list[Any] = [None] * len(jobs)

    def run(n: int) -> None:
        barrier.wait()
        answers[n] = _answer(jobs[n])

    threads = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), "it waits for ever"
    return answers


def _answer(what: Callable[[], Any]) -> Any:
    try:
        return what()
    except psycopg.Error as exc:
        return exc
