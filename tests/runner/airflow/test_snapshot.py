"""params.json: the parameters for the DAGs' forms; the file changes only when the plan does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from headgate.airflow.snapshot import SNAPSHOT, read_snapshot, snapshot, write_snapshot
from headgate.database import connect
from headgate.errors import HeadgateError
from headgate.settings import Settings
from tests.plan import Plan
from tests.servers import DB

SHIPPED = DB.parent / "dags" / SNAPSHOT
PIPELINE = "data_collection_equities"


def exchanges(text: str) -> list[str]:
    (found,) = (
        x for x in json.loads(text)[PIPELINE]["parameters"] if x["parameter"] == "exchanges"
    )
    choices: list[str] = found["choices"]
    return choices


def test_the_shipped_file_is_what_the_shipped_plan_says(db: Plan):
    assert SHIPPED.read_text() == snapshot(db.connection), "run: headgate airflow params"


def test_every_name_in_the_file_is_one_that_a_run_accepts(db: Plan):
    names = exchanges(snapshot(db.connection))
    checked = db.value("check_run", p_pipeline=PIPELINE, p_params={"exchanges": names})

    assert {"US", "NASDAQ", "LSE"} <= set(names)
    assert checked["exchanges"] == names


def test_a_new_exchange_is_in_the_next_snapshot(db: Plan):
    db.sql(
        "update headgate.assets set attributes = attributes || '{\"exchange\": \"NEWEX\"}' where code = 'AAPL.US'"
    )

    assert "NEWEX" in exchanges(snapshot(db.connection))


def test_the_file_is_written_once_and_leaves_nothing_beside_it(db: Plan, tmp_path: Path):
    path = tmp_path / SNAPSHOT
    assert write_snapshot(db.connection, path)
    os.utime(path, (1, 1))

    assert not write_snapshot(db.connection, path)
    assert path.stat().st_mtime == 1
    path.write_text("{}")
    assert write_snapshot(db.connection, path)
    assert [x.name for x in tmp_path.iterdir()] == [SNAPSHOT]


def test_a_folder_that_is_not_there_is_named_with_the_way_out(db: Plan, tmp_path: Path):
    with pytest.raises(HeadgateError, match="cannot be written") as caught:
        write_snapshot(db.connection, tmp_path / "away" / SNAPSHOT)
    assert "HEADGATE_DAGS" in str(caught.value.hint)


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_an_invalid_file_is_passed_over(tmp_path: Path, text: str | None):
    (tmp_path / "other").mkdir()
    if text is not None:
        (tmp_path / SNAPSHOT).write_text(text)
    (tmp_path / "other" / SNAPSHOT).write_text('{"p": {}}')

    assert read_snapshot([tmp_path]) is None
    assert read_snapshot([tmp_path, tmp_path / "other"]) == {"p": {}}


def test_migrate_writes_the_file_beside_the_dags_and_does_not_fail_where_it_cannot(
    database: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    from dataclasses import replace

    from headgate.cli.commands.migrate import tell_dags

    tell_dags(replace(database, dags=tmp_path))
    with connect(database, "test") as connection:
        assert (tmp_path / SNAPSHOT).read_text() == snapshot(connection)

    tell_dags(replace(database, dags=tmp_path / "away"))
    assert "cannot be written" in caplog.text


def test_the_folder_of_the_dags_is_the_one_that_is_named_then_airflows_then_ours(tmp_path: Path):
    airflows = {"AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "a")}

    assert Settings.from_env({}).dags == SHIPPED.parent
    assert Settings.from_env({"HEADGATE_DB": str(DB)}).dags is None
    assert Settings.from_env({"HEADGATE_PLANS": str(tmp_path)}).dags is None
    assert Settings.from_env(airflows).dags == tmp_path / "a"
    assert Settings.from_env(airflows | {"HEADGATE_DAGS": str(tmp_path)}).dags == tmp_path
