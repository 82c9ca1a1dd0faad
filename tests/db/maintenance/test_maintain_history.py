"""Old history is dropped in time."""

from __future__ import annotations

from tests.db.toy import Toy

RUN = {"p_pipeline": "headgate_maintenance", "p_run_id": "m1"}


def test_history_is_kept_as_long_as_the_setting_says(toy: Toy):
    toy.add(2)
    toy.begin()
    toy.drain()
    toy.finish()

    toy.later(days=399)
    assert toy.row("maintain_history", **RUN)["deleted_executions"] == 0
    toy.later(days=33)
    assert toy.row("maintain_history", **RUN)["deleted_executions"] == 1
    assert toy.details() == []
