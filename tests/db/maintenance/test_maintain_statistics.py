"""Fresh statistics of the tables the planner reads."""

from __future__ import annotations

from tests.db.toy import Toy

RUN = {"p_pipeline": "headgate_maintenance", "p_run_id": "m1"}


def test_statistics_are_fresh_afterwards(toy: Toy):
    assert toy.row("maintain_statistics", **RUN) == {"analyzed": 6}
