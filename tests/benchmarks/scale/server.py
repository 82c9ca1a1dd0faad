"""What the embedded server says: the duration of each call of a function, and its processor time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from psycopg import sql

from headgate.database import connect
from headgate.embedded.server import Server
from headgate.settings import Settings

DURATION = re.compile(r"^.*? LOG:  duration: ([\d.]+) ms  execute [^\n]*?:", re.MULTILINE)


@contextmanager
def logged(settings: Settings) -> Iterator[dict[str, list[float]]]:
    """Log each statement of connections that open in the block; at its end, the milliseconds by function are there."""
    times: dict[str, list[float]] = {}
    log = Server(settings.home).log
    _let_log(settings, "0")
    begin = log.stat().st_size
    try:
        yield times
    finally:
        _let_log(settings, "-1")
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    _, *parts = DURATION.split(text)
    for took, statement in zip(parts[::2], parts[1::2], strict=True):
        for function in re.findall(r"headgate\.(\w+)\(", statement)[:1]:
            times.setdefault(function, []).append(float(took))


def _let_log(settings: Settings, milliseconds: str) -> None:
    """Log the statements of later connections that take at least so long, without their arguments."""
    with connect(settings, "bench") as connection:
        for name, value in (
            ("log_min_duration_statement", milliseconds),
            ("log_parameter_max_length", "0"),
        ):
            connection.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    sql.Identifier(settings.database), sql.Identifier(name), sql.Literal(value)
                )
            )


def cpu_seconds(settings: Settings) -> float:
    """Return the processor time of all server processes so far, with those that have ended."""
    running = Server(settings.home).running()
    assert running is not None
    main = psutil.Process(running.pid)
    times = main.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in main.children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            seconds += child.cpu_times().user + child.cpu_times().system
    return float(seconds)


def session_seconds(pid: int) -> float:
    """Return the processor time of a session so far, to the nanosecond, which psutil does not have."""
    nanoseconds, *_ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(nanoseconds) / 1e9
