"""A handler is named by an entry point or by module:function; an error for another name lists the known ones."""

from __future__ import annotations

import re

import pytest

from headgate.errors import WrongPlan
from headgate.handlers.named import HANDLER, find
from tests.runner.handlers import samples
from tests.runner.handlers.compute_plan import ends, start, write_plan
from tests.servers import DB

INSTALLED = (
    "Installed: calendars, convert_formats, copy, export, indicators, load, machine, notices, process_data, "
    "recommender, remove, thompson, vacuum"
)


@pytest.fixture(autouse=True)
def _looked_up_anew():
    find.cache_clear()


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Install a third party's package with one handler."""
    (tmp_path / "shop_averages.py").write_text("def mean(chunk): ...\n")
    folder = tmp_path / "acme-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: system\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{HANDLER.group}]\nmean = shop_averages:mean\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_package_s_entry_point_is_found_by_its_name(system):
    found = find(HANDLER, "mean")

    assert (found.__module__, found.__name__) == ("shop_averages", "mean")


@pytest.mark.parametrize("name", [f"{samples.__name__}:mean", f"{samples.__name__}.mean"])
def test_a_function_is_found_by_its_dotted_name(name):
    assert find(HANDLER, name).__name__ == "mean"


def test_every_handler_that_a_shipped_plan_names_is_there():
    plans = "".join(x.read_text() for x in DB.glob("plans/*/plan.sql"))
    names = set(re.findall(r"handler => '([^']+)'", plans))

    files = {"copy", "export", "load", "remove"}
    assert names == files | {
        "calendars",
        "indicators",
        "machine",
        "notices",
        "recommender",
        "thompson",
        "vacuum",
    }
    assert all(callable(find(HANDLER, x)) for x in names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("indicator", f"among the entry points of {HANDLER.group}. Did you mean 'indicators'?"),
        ("zzz", f"among the entry points of {HANDLER.group}. {INSTALLED}. Name any"),
        ("no_such_shop:mean", "no handler 'no_such_shop:mean': ModuleNotFoundError: No module"),
        ("no_such_shop.mean", "no handler 'no_such_shop.mean': ModuleNotFoundError: No module"),
    ],
)
def test_an_unknown_name_is_named_with_the_way_out(name, said):
    with pytest.raises(WrongPlan) as caught:
        find(HANDLER, name)

    assert f"there is no handler {name!r}" in str(caught.value)
    assert said in str(caught.value)


async def test_the_jobs_of_an_unknown_handler_are_deferred_with_that_reason(plan, run):
    write_plan(plan, "averages", assets=2)
    start(plan)
    await run()

    reasons = {reason for found in ends(plan).values() for _, reason in found}
    (reason,) = reasons
    assert reason is not None
    assert "there is no handler 'averages'" in reason
    assert INSTALLED in reason
