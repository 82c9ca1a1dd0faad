"""`headgate logs`: the events of a run, line by line, also while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from headgate.cli.commands import logs
from headgate.database import dsn_of
from tests.limits import PATIENCE
from tests.plan import Plan
from tests.runner.cli.commands.conftest import Ask
from tests.servers import DB


def test_a_run_s_log_is_printed_in_order(shown: Ask, asked: Ask, monday: Plan):
    monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")

    lines = shown("logs", "monday-1").splitlines()
    assert lines[0].endswith(" info    started, carried by runners")
    assert any(x.endswith(" warning ended as cancelled: 3 jobs, 3 skipped") for x in lines)
    assert any(" all: 3 jobs of look_shop cancelled: " in x for x in lines)
    found = asked("logs", "monday-1", "--pipeline", "small_shop")
    assert [x["message"] for x in found if x["event"] == "step"] == [
        "started",
        "cancelled: 3 jobs, 3 skipped",
    ]


@pytest.fixture
def after_looks(monkeypatch) -> Iterator[list[Callable[[], object]]]:
    """What is done after each look; the looks are those that the database asks for."""
    actions: list[Callable[[], object]] = []
    look = logs.Tail.look

    def look_and_act(tail: logs.Tail) -> bool:
        answered = look(tail)
        if actions:
            actions.pop(0)()
        return answered

    monkeypatch.setattr(logs.Tail, "look", look_and_act)
    monkeypatch.setattr(logs, "SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr("headgate.notifications.AFTERWARDS", PATIENCE)
    yield actions
    assert actions == []


def nothing() -> None:
    """Let the first look pass: the second one follows as soon as it listens."""


def test_a_log_is_followed_by_notifications_until_the_run_has_ended(
    shown: Ask, monday: Plan, after_looks
):
    def end_it() -> None:
        monday.call("skip_step", p_pipeline="small_shop", p_run_id="monday-1", p_step="all")
        monday.call("finalize_execution", p_pipeline="small_shop", p_run_id="monday-1")

    after_looks += [nothing, end_it]

    lines = shown("logs", "monday-1", "--follow").splitlines()
    assert len(lines) == len(set(lines))
    assert any("ended as succeeded" in x for x in lines)


def test_the_log_of_an_ended_run_is_followed_to_its_end_at_once(
    shown: Ask, monday: Plan, monkeypatch
):
    monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")
    monkeypatch.setattr(logs, "SHORTEST_PAUSE", PATIENCE)

    assert shown("logs", "monday-1", "--follow") == shown("logs", "monday-1")


def test_alerts_and_operators_actions_are_told_while_it_waits(
    shown: Ask, monday: Plan, after_looks
):
    def pause() -> None:
        monday.call("pause_pipeline", p_pipeline="small_shop")

    def alert() -> None:
        monday.call("raise_alert", p_severity="error", p_subject="the shop", p_message="is shut")

    def cancel() -> None:
        monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")

    after_looks += [nothing, pause, alert, cancel]

    text = shown("logs", "monday-1", "--follow")
    assert [x for x in ("pause_pipeline", "the shop: is shut", "cancelled") if x not in text] == []


def test_a_line_that_commits_late_is_not_lost(shown: Ask, monday: Plan, after_looks, monkeypatch):
    """Its time precedes the last line seen, by more than the period that is read again."""
    monkeypatch.setattr(logs, "OVERLAP", timedelta(0))

    def alert_and_cancel() -> None:
        monday.sql(
            "insert into headgate.alerts (severity, subject, message, raised_at)"
            " select 'error', 'the provider', 'late', e.started_at"
            " from headgate.process_executions as e"
        )
        monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")

    after_looks += [alert_and_cancel]

    assert shown("logs", "monday-1", "-f").count("the provider: late") == 1


def test_a_server_that_is_away_is_asked_again(shown: Ask, monday: Plan, after_looks):
    def end_its_sessions() -> None:
        monday.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name like 'headgate logs%%' and datname = current_database()"
        )

    def cancel() -> None:
        monday.call("cancel_execution", p_pipeline="small_shop", p_run_id="monday-1")

    after_looks += [nothing, end_its_sessions, cancel]

    assert "ended as cancelled" in shown("logs", "monday-1", "--follow")


def test_an_unknown_run_is_refused_with_similar_names(refused: Ask, monday: Plan):
    assert "[HG002]\nhint: did you mean monday-1?" in refused("logs", "mondya-1")
    assert "[HG001]\nhint: did you mean small_shop?" in refused(
        "logs", "monday-1", "--pipeline", "small_shpo"
    )


def test_a_log_as_one_document_is_not_followed(refused: Ask, monday: Plan):
    assert "not with --follow" in refused("logs", "monday-1", "--follow", "--json", code=2)


def test_ctrl_c_ends_it_without_a_traceback(core, monday: Plan):
    process = subprocess.Popen(
        [sys.executable, "-m", "headgate", "logs", "monday-1", "--follow"],
        env={**os.environ, "HEADGATE_DSN": dsn_of(core), "HEADGATE_DB": str(core.db)},
        cwd=DB.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()

    assert "started, carried by runners" in first
    assert (process.returncode, err) == (130, "")
