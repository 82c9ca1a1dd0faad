"""Plans outside db/: HEADGATE_PLANS names folders, and each plan is complete without the others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from headgate.database import connect
from headgate.errors import MigrateError
from headgate.migrate.files import plan_folders
from headgate.migrate.run import migrate, require_migrated
from headgate.settings import Settings
from tests.servers import DB

PLAN = """\
select headgate.begin_plan('{0}');
select headgate.put_operation('{0}_look', '{0}', due => 'once', ingest_function => '{0}.look');
select headgate.put_pipeline('{0}');
select headgate.put_step('{0}', 'all', operations => '{{{0}_look}}');
select headgate.end_plan();
"""
LOOK = """\
create or replace function {0}.look(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result language sql security definer set search_path = pg_catalog, pg_temp as $func$
    select u.asset_id, 'success', 1, null::timestamptz, null::text from unnest(p_asset_ids) as u (asset_id);
$func$;
"""


def write(folder: Path, plan: str) -> Path:
    """Write a small plan."""
    (folder / plan / "functions").mkdir(parents=True)
    (folder / plan / "plan.sql").write_text(PLAN.format(plan))
    (folder / plan / "functions" / "look.sql").write_text(LOOK.format(plan))
    return folder / plan


@pytest.fixture
def bare(
    core_template: Settings, clone_for_test: Callable[[Settings | None], Settings]
) -> Settings:
    """Clone the core, without any plan."""
    return replace(clone_for_test(core_template), db=core_template.db)


def pipelines(settings: Settings) -> list[str]:
    """Return the pipelines that the database has."""
    with connect(settings, "test") as connection:
        rows = connection.execute("select name from headgate.pipelines order by 1")
        return [x["name"] for x in rows]


def test_folders_of_plans_and_single_plans_may_be_named_together(tmp_path, bare):
    write(tmp_path / "many", "figs")
    write(tmp_path / "many", "pears")
    alone = write(tmp_path, "apples")
    settings = replace(bare, plans=(tmp_path / "many", alone))

    assert list(plan_folders(bare.db, settings.plans)) == ["apples", "figs", "pears"]
    assert [x for x in migrate(settings).files if "plan.sql" in x] == [
        "plans/apples/plan.sql",
        "plans/figs/plan.sql",
        "plans/pears/plan.sql",
    ]
    assert pipelines(settings) == ["apples", "figs", "pears"]
    with connect(settings, "test") as connection:
        require_migrated(connection, settings)
    assert migrate(settings).files == []


def test_a_plan_that_moves_is_the_same_plan(tmp_path, bare):
    migrate(replace(bare, plans=(write(tmp_path / "here", "figs"),)))

    assert migrate(replace(bare, plans=(write(tmp_path / "there", "figs"),))).files == []


def test_a_plan_that_is_left_out_stays_in_the_database_and_is_named_each_time(
    tmp_path, bare, caplog
):
    plans = tuple(write(tmp_path, x) for x in ("figs", "pears"))
    migrate(replace(bare, plans=plans))
    fewer = replace(bare, plans=plans[:1])

    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            report = migrate(fewer)
        assert [x for x in caplog.messages if "is gone" in x] == []
        (said,) = (x for x in caplog.messages if "among the plans" in x)
        assert said.startswith("plan pears was applied and is not among the plans: its tables,")
        assert report.gone == ["plans/pears/functions/look.sql", "plans/pears/plan.sql"]
    assert pipelines(fewer) == ["figs", "pears"]
    assert migrate(replace(bare, plans=plans)).files == []


def test_a_shipped_plan_is_left_out_by_naming_the_others(tmp_path):
    named = (DB / "plans" / "maintenance", write(tmp_path, "figs"))

    assert list(plan_folders(DB, named)) == ["figs", "maintenance"]
    assert {"equities", "maintenance"} <= set(plan_folders(DB))


def test_a_message_names_a_file_that_an_editor_can_open(tmp_path, bare):
    plan = write(tmp_path, "figs")
    (plan / "functions" / "look.sql").write_text("create or replace function figs.look() retuns;")

    with pytest.raises(MigrateError) as error:
        migrate(replace(bare, plans=(plan,)))
    assert str(error.value).startswith(f"{plan / 'functions' / 'look.sql'}:1: syntax error")


def test_a_folder_without_plans_is_refused_or_skipped(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / ".git").mkdir()
    assert plan_folders(DB, [tmp_path]) == {}

    with pytest.raises(MigrateError, match="there is no folder") as error:
        plan_folders(DB, [tmp_path / "nope"])
    assert "HEADGATE_PLANS" in str(error.value.hint)
    write(tmp_path, "Figs-1")
    with pytest.raises(MigrateError, match="Figs-1: a plan's folder is named in small letters"):
        plan_folders(DB, [tmp_path])


def test_two_plans_of_one_name_are_refused(tmp_path):
    folders = [write(tmp_path / x, "figs") for x in ("a", "b")]

    with pytest.raises(MigrateError, match=r"two plans are named figs: .*a/figs and .*b/figs"):
        plan_folders(DB, folders)
