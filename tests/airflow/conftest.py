"""One stack for all files that look at it: it takes most of a minute to start.

With `--dist loadfile` one worker runs them all, in their order: the last tests of test_stack.py
stop it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tests.airflow.scene import Scene

ON_THE_STACK: Final = ("tests/airflow/test_clicks.py", "tests/airflow/test_stack.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give the files that share the stack to the same worker, as if they were one."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return "stack" if file in ON_THE_STACK else file

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Start everything once; stop it at the end."""
    from tests.airflow.scene import running

    with pytest.MonkeyPatch.context() as patch:
        for name in [x for x in os.environ if x.startswith("AIRFLOW")]:
            patch.delenv(name)
        with running(tmp_path_factory.mktemp("stack")) as stack:
            yield stack
            print(stack.said())


@pytest.fixture(scope="session")
def codes(stack: Scene) -> list[str]:
    """Return US listings that nothing has been loaded of."""
    rows = stack.rows(
        "select a.code from headgate.assets as a"
        " where a.universe = 'equities' and a.group_key = 'US'"
        " and a.asset_id not in (select asset_id from headgate.asset_processing_details)"
        " order by a.code limit 1500"
    )
    return [x["code"] for x in rows]
