"""The job that is compared with dlt's: our side is run here, dlt's where it is installed."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from headgate.database import connect
from headgate.settings import Settings
from tests.benchmarks import system
from tests.benchmarks.rivals import compare
from tests.benchmarks.rivals.service import comments, post, service

Clone = Callable[[Settings | None], Settings]


@pytest.fixture
def cloned_database(monkeypatch: pytest.MonkeyPatch, clone: Clone, core_template: Settings) -> None:
    """Give our side a clone of the core, which is made faster than migrated."""

    @contextmanager
    def own_database(server: Settings, name: str) -> Iterator[Settings]:
        yield clone(core_template)

    monkeypatch.setattr(system, "own_database", own_database)


@pytest.mark.usefixtures("cloned_database")
def test_our_side_does_the_whole_job_exactly(core_template: Settings):
    side = compare.Side()
    plans: list[float] = []

    with service(delay=0) as blog:
        compare.by_headgate(core_template, blog, 12, side, plans)

    assert (side.calls, plans[0] > 0, side.seconds[0] > 0) == ([24], True, True)
    assert 20 < side.megabytes[0] < 500
    assert side.at_once[0] <= compare.AT_ONCE


def test_a_result_that_is_not_exact_is_refused(clone: Clone):
    settings = clone(None)
    with connect(settings, "test") as connection:
        connection.execute("create schema blog")
        connection.execute("create table blog.posts (id bigint, title text, body text)")
    query = {"posts": compare.DLTS["posts"]}

    with pytest.raises(AssertionError, match="posts: 0 rows that differ"):
        compare.require_exact(settings, query, 1)
    with connect(settings, "test") as connection:
        found = post(1)
        connection.execute(
            "insert into blog.posts values (1, %s, %s)", [found["title"], found["body"]]
        )
    compare.require_exact(settings, query, 1)


def test_our_job_is_as_short_as_it_is_promised():
    assert compare.count_lines(*compare.PLAN.rglob("*.sql")) <= compare.MAX_LINES


def test_lines_are_counted_without_comments_and_empty_ones(tmp_path):
    (tmp_path / "a.sql").write_text("-- why\n\nselect 1;\n")
    (tmp_path / "b.py").write_text(
        '"""Says what.\n\nAnd more.\n"""\n\n# why\nimport dlt\n\nQUERY = """\nselect 1\n"""\n'
    )

    assert compare.count_lines(tmp_path / "a.sql") == 1
    assert compare.count_lines(tmp_path / "b.py") == 4


def test_a_command_that_fails_says_so():
    with pytest.raises(AssertionError, match="no luck"):
        compare.timed([sys.executable, "-c", "raise SystemExit('no luck')"], {})


def test_the_peak_of_a_command_is_that_of_all_its_processes():
    hungry = "x = bytearray(60_000_000); import time; time.sleep(0.5)"
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hungry!r}])"

    taken = compare.timed([sys.executable, "-c", both], {})

    assert 60 < taken.megabytes < 200
    assert 0 < taken.processor and 0.5 < taken.seconds


def test_the_service_counts_its_calls():
    with service(delay=0) as blog:
        blog.counted()
        read = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from urllib.request import urlopen; print(urlopen('{blog.url}/posts/7').read())",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert blog.counted() == (1, 1)
    assert post(7)["title"] in read.stdout
    assert [x["postId"] for x in comments(7)] == [7] * 5


def test_without_dlt_the_benchmark_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "DLT_PYTHON", tmp_path / "python")

    with pytest.raises(FileNotFoundError, match="`make bench/rivals` makes it"):
        next(compare.run(Settings.from_env({})))


def test_dlts_job_is_python_that_knows_nothing_of_us():
    tree = ast.parse(compare.DLT_JOB.read_text())
    names = [x.module or "" for x in ast.walk(tree) if isinstance(x, ast.ImportFrom)]
    names += [y.name for x in ast.walk(tree) if isinstance(x, ast.Import) for y in x.names]

    assert {x.partition(".")[0] for x in names} == {"dlt"}
