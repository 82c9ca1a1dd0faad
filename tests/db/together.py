"""Several sessions at once: who waits for whom, and that nobody waits for ever."""

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
    """Let a session do something in a thread: go on when it waits for a lock, or has its answer.

    The answer, or the error, is in the list by the end.
    """
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(_answer(what)), daemon=True)
    thread.start()
    waits(caller, witness, answers)
    yield answers
    thread.join(PATIENCE)
    assert not thread.is_alive(), "it waits for ever"


def waits(caller: Plan, witness: Plan, answers: list[Any]) -> bool:
    """Return whether a session waits for a lock, as soon as it does or has its answer."""
    pid = caller.connection.info.backend_pid
    wait_until(lambda: answers or witness.scalar(WAITS, pid=pid), "an answer or a lock")
    return not answers


def close(session: Plan, witness: Plan) -> None:
    """Let a session die in its transaction; return when the server has given its locks back."""
    pid = session.connection.info.backend_pid
    session.connection.close()
    wait_until(lambda: not witness.scalar(LIVES, pid=pid), "the end of a session")


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment; return their answers or errors, in order."""
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
