"""A handler receives the rows of its input function, and its results are written with the state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.adopt import adopt
from tests.runner.handlers.compute_plan import (
    add_assets,
    add_pipeline,
    ends,
    start,
    status,
    write_plan,
)

ROOT = Path(__file__).resolve().parents[3]

MEANS = "select bars, mean, last_date::text from public.means group by 1, 2, 3"


@pytest.mark.parametrize("handler", ["mean", "mean_of_a_frame"])
async def test_rows_are_written_with_the_state(plan, run, handler):
    write_plan(plan, f"tests.runner.handlers.samples:{handler}", assets=250, bars=5)
    start(plan)

    totals = await run()

    assert status(plan)["status"] == "succeeded"
    assert totals.jobs == {"success": 250}
    assert plan.sql(MEANS) == [{"bars": 5, "mean": 3.0, "last_date": "2026-01-06"}]
    assert plan.scalar("select count(*) from public.means") == 250
    state = (
        "select distinct watermark::date::text, next_due_at from headgate.asset_processing_state"
    )
    assert plan.sql(state) == [{"watermark": "2026-01-06", "next_due_at": None}]


async def test_the_guilty_asset_alone_fails(plan, run):
    write_plan(plan, "tests.runner.handlers.samples:raises", max_attempts=1)
    start(plan)

    await run()

    found = ends(plan)
    ((outcome, told),) = found.pop("P3")
    assert outcome == "failed"
    assert re.fullmatch(r"ValueError: no mean of this \(raises, line \d+\)", str(told))
    assert set(map(frozenset, found.values())) == {frozenset({("success", None)})}
    assert plan.scalar("select count(*) from public.means") == 9


async def test_the_example_of_the_docs_works(plan, run, tmp_path, monkeypatch):
    text = (ROOT / "docs" / "handlers.md").read_text()
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "means.py").write_text(block(text, "python"))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    plan.sql(
        "create schema paper; create table paper.bars (asset_id bigint, date date, close float8)"
    )
    plan.sql(
        "grant usage on schema paper to headgate_owner, headgate_runner; select headgate.check_plans()"
    )
    plan.connection.execute(block(text, "sql").replace("'after'", "'once'").encode())
    adopt(plan.connection, "paper")
    add_pipeline(plan, "mean_close")
    add_assets(plan, 3, 4, table="paper.bars")
    start(plan)

    await run()

    assert status(plan)["status"] == "succeeded"
    assert plan.sql("select mean from paper.means") == [{"mean": 2.5}] * 3


def block(text: str, language: str) -> str:
    """Return the first code block of a language."""
    return text.split(f"```{language}\n")[1].split("```")[0]
