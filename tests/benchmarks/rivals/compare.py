"""The guide's whole job, by Headgate and by dlt: 2,000 posts, their comments, and a count of words.

Both call the same service, which answers after 20 ms, with at most 10 calls in flight, and write to the same
PostgreSQL. Our side is `headgate run`; `headgate migrate`, which applies the plan once to a database with the core,
is reported separately, as dlt creates its tables during the job. Both start with empty tables, and their results are
compared row by row with the service's data. Lines of code are those that a user writes, without empty lines and
comments.
"""

from __future__ import annotations

import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, LiteralString, NamedTuple
from urllib.parse import quote, urlencode

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from headgate.database import connect, dsn_of
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.measure import Figure, ratio, take_turns
from tests.benchmarks.rivals.service import Service, comments, post, service
from tests.servers import DB

HERE: Final = Path(__file__).parent
PLAN: Final = HERE / "plans" / "blog"
DLT_JOB: Final = HERE / "dlt_job.py"
DLT_PYTHON: Final = DB.parent / ".venv-rivals" / "bin" / "python"
URL: Final = "http://127.0.0.1:8080"
POSTS: Final = 2000
AT_ONCE: Final = 10
POLL: Final = 0.02

MAX_LINES: Final = 70
MAX_TIME: Final = 0.85
MAX_MEMORY: Final = 0.7

OURS: Final[dict[str, LiteralString]] = {
    "posts": "select a.code::bigint, p.title, p.body"
    " from blog.posts as p join headgate.v_assets as a using (asset_id)",
    "comments": "select c.comment_id, a.code::bigint, c.email, c.body"
    " from blog.comments as c join headgate.v_assets as a using (asset_id)",
    "word_counts": "select a.code::bigint, w.words"
    " from blog.word_counts as w join headgate.v_assets as a using (asset_id)",
}
DLTS: Final[dict[str, LiteralString]] = {
    "posts": "select p.id, p.title, p.body from blog.posts as p",
    "comments": "select c.id, c.post_id, c.email, c.body from blog.comments as c",
    "word_counts": "select w.post_id, w.words from blog.word_counts as w",
}


class Taken(NamedTuple):
    """Resources used by a command."""

    seconds: float
    processor: float
    """Processor seconds of all its processes, without the server's."""
    megabytes: float
    """Peak memory."""


@dataclass(slots=True)
class Side:
    """Resources used by one side, turn by turn."""

    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    at_once: list[int] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{statistics.median(self.seconds):.1f} s, of a processor"
            f" {statistics.median(self.processor):.1f} s, {statistics.median(self.megabytes):.0f} MB,"
            f" {statistics.median(self.calls):,.0f} calls, at most {max(self.at_once)} at once"
        )


def run(server: Settings, *, posts: int = POSTS, runs: int = 5) -> Iterator[Figure]:
    """Measure both sides in turns."""
    require_dlt()
    ours, dlts = Side(), Side()
    plans: list[float] = []
    with service() as blog:
        take_turns(
            runs,
            lambda: by_headgate(server, blog, posts, ours, plans),
            lambda: by_dlt(server, blog, posts, dlts),
        )
    lines = count_lines(*PLAN.rglob("*.sql"))
    yield Figure(
        "rivals: lines of our whole job",
        lines,
        unit="lines",
        at_most=MAX_LINES + 1,
        detail=f"dlt {count_lines(DLT_JOB)} lines",
    )
    yield Figure(
        "rivals: time against dlt",
        ratio(ours.seconds, dlts.seconds),
        at_most=MAX_TIME,
        detail=f"ours {ours}; dlt {dlts}",
    )
    yield Figure(
        "rivals: time against dlt, with `headgate migrate` of the plan",
        ratio([x + y for x, y in zip(ours.seconds, plans, strict=True)], dlts.seconds),
        detail=f"migrate {statistics.median(plans):.1f} s",
    )
    yield Figure("rivals: processor time against dlt", ratio(ours.processor, dlts.processor))
    yield Figure(
        "rivals: peak memory against dlt",
        ratio(ours.megabytes, dlts.megabytes),
        at_most=MAX_MEMORY,
        detail="the rows of both are those of the service",
    )


def require_dlt() -> None:
    """Raise FileNotFoundError unless dlt is installed in its own environment."""
    if not DLT_PYTHON.exists():
        raise FileNotFoundError(f"{DLT_PYTHON} is not there: `make bench/rivals` makes it")


def by_headgate(
    server: Settings, blog: Service, posts: int, side: Side, plans: list[float]
) -> None:
    """Do the job with Headgate, in a database with the core and without plans."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "blog"
        for path in PLAN.rglob("*.sql"):
            copy = plan / path.relative_to(PLAN)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(_fitted(path, blog, posts))
        empty = Path(folder) / "none"
        empty.mkdir()
        with system.own_database(replace(server, plans=(empty,)), "rivals") as settings:
            environ = {
                "HEADGATE_DSN": dsn_of(settings),
                "HEADGATE_DB": str(settings.db),
                "HEADGATE_PLANS": str(plan),
            }
            headgate = (sys.executable, "-m", "headgate")
            blog.counted()
            plans.append(timed([*headgate, "migrate"], environ).seconds)
            command = [*headgate, "run", "blog", "--concurrency", str(AT_ONCE)]
            _note(side, blog, timed(command, environ))
            require_exact(settings, OURS, posts)


def by_dlt(server: Settings, blog: Service, posts: int, side: Side) -> None:
    """Do the job with dlt, in an empty database and without state of an earlier run."""
    with tempfile.TemporaryDirectory() as folder, _empty_database(server, "dlt") as settings:
        job = Path(folder) / "job.py"
        job.write_text(_fitted(DLT_JOB, blog, posts))
        environ = {
            "HOME": folder,
            "DLT_DATA_DIR": folder,
            "DESTINATION__POSTGRES__CREDENTIALS": _credentials(settings),
            "EXTRACT__WORKERS": str(AT_ONCE),
            "EXTRACT__MAX_PARALLEL_ITEMS": str(2 * AT_ONCE),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        blog.counted()
        _note(side, blog, timed([str(DLT_PYTHON), str(job)], environ, folder))
        require_exact(settings, DLTS, posts)


def require_exact(settings: Settings, queries: Mapping[str, LiteralString], posts: int) -> None:
    """Raise unless the tables hold exactly the service's data."""
    numbers = range(1, posts + 1)
    served = {x: (post(x), comments(x)) for x in numbers}
    expected: dict[str, list[tuple[Any, ...]]] = {
        "posts": [(x, p["title"], p["body"]) for x, (p, _) in served.items()],
        "comments": [
            (c["id"], x, c["email"], c["body"]) for x, (_, cs) in served.items() for c in cs
        ],
        "word_counts": [
            (x, sum(len(y["body"].split()) for y in (p, *cs))) for x, (p, cs) in served.items()
        ],
    }
    with connect(settings, "bench") as connection:
        for table, query in queries.items():
            rows = [tuple(x.values()) for x in connection.execute(query)]
            if sorted(rows) != sorted(expected[table]):
                raise AssertionError(f"{table}: {len(rows):,} rows that differ from the service's")


def count_lines(*paths: Path) -> int:
    """Return the number of lines without empty lines, comments and the module's docstring."""
    texts = [re.sub(r'\A""".*?"""\n', "", x.read_text(), flags=re.DOTALL) for x in paths]
    lines = [y.strip() for x in texts for y in x.splitlines()]
    return sum(bool(x) and not x.startswith(("--", "#")) for x in lines)


def _fitted(path: Path, blog: Service, posts: int) -> str:
    """Return a file's text with the address and the number of posts of this run's service."""
    text = path.read_text()
    assert URL in text or path.name != "plan.sql"
    return (
        text.replace(URL, blog.url)
        .replace(f"generate_series(1, {POSTS})", f"generate_series(1, {posts})")
        .replace(f"range(1, {POSTS + 1})", f"range(1, {posts + 1})")
    )


def _note(side: Side, blog: Service, taken: Taken) -> None:
    calls, at_once = blog.counted()
    side.seconds.append(taken.seconds)
    side.processor.append(taken.processor)
    side.megabytes.append(taken.megabytes)
    side.calls.append(calls)
    side.at_once.append(at_once)


def timed(command: Sequence[str], environ: Mapping[str, str], folder: str | None = None) -> Taken:
    """Run a command to its end, and return its resources."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("HEADGATE_")}
    with tempfile.TemporaryFile("w+") as output:
        started, used = time.perf_counter(), _processor_time()
        process = subprocess.Popen(
            command,
            env={**inherited, **environ},
            cwd=folder or DB.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        peaks: dict[int, float] = {}
        while process.poll() is None:
            peaks.update(_peaks(process.pid))
            time.sleep(POLL)
        seconds = time.perf_counter() - started
        if process.returncode:
            output.seek(0)
            raise AssertionError(f"{command} failed: {output.read()[-2000:]}")
    return Taken(seconds, _processor_time() - used, sum(peaks.values()))


def _processor_time() -> float:
    """Return the processor seconds of all ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peaks(pid: int) -> Iterator[tuple[int, float]]:
    """Yield the peak memory of a process and of its children, in megabytes."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            yield pid, int(line.split()[1]) / 1024
    for child in children.split():
        yield from _peaks(int(child))


def _credentials(settings: Settings) -> str:
    """Return the connection string for dlt, which needs a host and a password even for a socket."""
    words = {k: str(v) for k, v in conninfo_to_dict(dsn_of(settings)).items() if v is not None}
    login = f"{words['user']}:{quote(words.get('password', 'none'), safe='')}"
    where = urlencode({"host": words["host"], "port": words.get("port", "5432")})
    return f"postgresql://{login}@localhost/{words['dbname']}?{where}"


@contextmanager
def _empty_database(server: Settings, name: str) -> Iterator[Settings]:
    settings = server.with_database(f"bench_{name}")
    identifier = sql.Identifier(settings.database)
    with connect(server, "bench") as connection:
        connection.execute(sql.SQL("create database {}").format(identifier))
        try:
            yield settings
        finally:
            connection.execute(sql.SQL("drop database {} with (force)").format(identifier))
