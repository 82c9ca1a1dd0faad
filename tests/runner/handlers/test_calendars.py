"""Trading sessions: the shipped file, and the command that wrote it."""

from __future__ import annotations

import csv
import gzip
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from headgate.errors import HeadgateError, InvalidValue
from headgate.handlers import calendars

SHIPPED = Path("db/plans/equities/data/equities.shipped_sessions.csv.gz")
NAMES = ("XNYS", "XLON", "XFRA", "XETR", "XPAR", "XAMS", "XBRU", "XLIS", "XMAD", "XSWX")


def test_the_shipped_sessions_are_those_of_the_package():
    path = Path(__file__).resolve().parents[3] / SHIPPED
    with gzip.open(path, "rt", newline="") as lines:
        shipped = list(csv.reader(lines))

    computed = [x.as_csv() for x in calendars.sessions(NAMES, date(2025, 1, 1), date(2025, 12, 31))]

    assert tuple(shipped[0]) == calendars.COLUMNS
    assert [tuple(row) for row in shipped if row[1].startswith("2025-")] == computed
    assert len(computed) == 2_533


def test_a_half_day_closes_early():
    found = {
        x.session: x for x in calendars.sessions(["XNYS"], date(2025, 11, 26), date(2025, 11, 28))
    }

    assert list(found) == [date(2025, 11, 26), date(2025, 11, 28)]
    assert found[date(2025, 11, 26)].closes_at == datetime(2025, 11, 26, 21, tzinfo=UTC)
    assert found[date(2025, 11, 28)].closes_at == datetime(2025, 11, 28, 18, tzinfo=UTC)
    assert [x.is_early_close for x in found.values()] == [False, True]


def test_the_command_writes_csv(capsys):
    assert calendars.main(["--from", "2025-07-03", "--to", "2025-07-03", "XNYS"]) == 0

    assert capsys.readouterr().out == (
        "calendar,session,opens_at,closes_at,is_early_close\n"
        "XNYS,2025-07-03,2025-07-03T13:30:00+00:00,2025-07-03T17:00:00+00:00,true\n"
    )


def test_an_unknown_calendar_is_named(capsys):
    with pytest.raises(InvalidValue, match="NOWHERE"):
        list(calendars.sessions(["NOWHERE"], date(2025, 1, 1), date(2025, 1, 31)))

    assert calendars.main(["--from", "2025-01-01", "--to", "2025-01-31", "NOWHERE"]) == 1
    assert "XNYS" in capsys.readouterr().err


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)

    with pytest.raises(HeadgateError, match="exchange-calendars") as caught:
        list(calendars.sessions(["XNYS"], date(2025, 1, 1), date(2025, 1, 31)))

    assert caught.value.hint == 'Install it: pip install "headgate[demo]"'
