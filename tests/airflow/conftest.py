"""One stack for the test files of a test process that look at one: it takes half a minute to start.

Their tests mostly wait, so that two processes with a stack each finish sooner than one: one runs test_stack.py, whose
last tests stop their stack, and the other one the files of ON_ONE_STACK. A stack that nobody looks at takes a tenth of a
core, so it is stopped before the first test that needs none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.airflow.scene import Scene


ON_ONE_STACK = ("test_clicks.py", "test_freshpoc.py", "test_recommender.py", "test_onpoint.py")
"""Files whose tests leave each other's pipelines alone."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Let one test process run all files that share a stack, where each file goes to one process."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "one stack" if Path(file).name in ON_ONE_STACK else file

    return Scheduling(config, log)


class Kept:
    """The stack of this process, from its first use to `close`."""

    def __init__(self) -> None:
        self._scene: Scene | None = None
        self._end = ExitStack()

    def scene(self, folder: Path, seed: Path) -> Scene:
        """Return the running stack; start one if there is none, with its DAGs in `folder`."""
        if self._scene is None or self._scene.process.poll() is not None:
            self.close()
            self._scene = self._end.enter_context(_running(folder, seed))
        return self._scene

    def close(self) -> None:
        """Stop the stack, if there is one."""
        self._scene = None
        self._end.close()


KEPT = pytest.StashKey[Kept]()


@contextmanager
def _running(folder: Path, seed: Path) -> Iterator[Scene]:
    from tests.airflow.scene import running

    with running(folder, seed) as scene:
        yield scene
        print(scene.said())


@pytest.fixture(scope="session")
def kept(pytestconfig: pytest.Config) -> Iterator[Kept]:
    """Keep the stack from test to test."""
    pytestconfig.stash[KEPT] = kept = Kept()
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def stack(kept: Kept, seed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Return the stack of this process."""
    return kept.scene(tmp_path_factory.mktemp("stack"), seed_data / "postgres")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the stack behind the last test of a row that needs it."""
    yield
    if kept := item.config.stash.get(KEPT, None):
        if nextitem is None or "stack" not in getattr(nextitem, "fixturenames", ()):
            kept.close()


@pytest.fixture(scope="module")
def codes(stack: Scene) -> list[str]:
    """Return US listings without any processed job."""
    rows = stack.rows(
        "select a.code from headgate.assets as a"
        " where a.universe = 'equities' and a.group_key = 'US'"
        " and a.asset_id not in (select asset_id from headgate.asset_processing_details)"
        " order by a.code limit 1500"
    )
    return [x["code"] for x in rows]
