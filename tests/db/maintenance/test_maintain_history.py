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


def test_of_very_many_runs_all_go_on_one_day(toy: Toy):
    toy.runs(45_000)
    toy.later(days=401)

    kept = toy.row("maintain_history", **RUN)
    assert (kept["deleted_executions"], kept["left_executions"]) == (45_000, 0)
    assert toy.scalar("select count(*) from headgate.process_executions") == 0
    assert toy.scalar("select count(*) from headgate.process_steps") == 0


def test_what_should_have_gone_two_days_ago_raises_an_alert_and_is_found_by_the_doctor(toy: Toy):
    toy.runs(3)
    found = "select found, advice from headgate.examine() where subject = 'old history'"
    alerts = "select message from headgate.v_alerts where subject = 'old history' and resolved_at is null"

    toy.later(days=401)
    toy.call("check_health", **RUN)
    assert toy.sql(found) == toy.sql(alerts) == [], "the next maintenance deletes them"

    toy.later(days=2)
    toy.call("check_health", **RUN)
    (told,) = toy.sql(found)
    assert told["found"] == "3 runs are kept longer than 400 days"
    assert "deletes the last of them on 2025-04-13" in told["advice"]
    assert toy.sql(alerts) == [{"message": f"{told['found']}: {told['advice']}"}]

    toy.call("maintain_history", **RUN)
    toy.call("check_health", **RUN)
    assert toy.sql(found) == toy.sql(alerts) == []
