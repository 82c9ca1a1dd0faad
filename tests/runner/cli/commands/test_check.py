"""`headgate check` reports a plan's changes and all its mistakes, and changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from headgate.database import connect
from headgate.migrate.run import migrate
from headgate.settings import Settings
from tests.runner.conftest import Run

PLAN = """\
-- Fruit.
select headgate.begin_plan('fruit');

select headgate.put_provider('fruit', 'http://fruit.test', quota => 100);
select headgate.put_operation('fruit_apples', 'apples', due => 'every 1 day', provider => 'fruit',
    units => 1, request => 'GET /apples/{asset.code}', ingest_function => 'fruit.keep');
select headgate.put_pipeline('fruit');
select headgate.put_step('fruit', 'all', operations => '{fruit_apples}');
select headgate.put_step('fruit', 'again', operations => '{fruit_apples}', depends_on => '{all}');

select headgate.end_plan();
"""
TABLE = "create table fruit.apples (asset_id bigint not null primary key, color text);\n"
KEEP = """\
create or replace function fruit.keep(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language sql
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with written as (
        insert into fruit.apples
        select u.asset_id, u.payload from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        returning asset_id
    )
    select w.asset_id, 'success', 1, null::timestamptz, null::text
    from written as w;
$func$;
"""


class Fruit:
    """A plan outside of db/, and `headgate check` with it."""

    def __init__(self, folder: Path, run: Run, core: Settings) -> None:
        self.folder = folder
        self.settings = core
        self._run = run
        self.write("plan.sql", PLAN)
        self.write("migrations/0001_apples.sql", TABLE)
        self.write("functions/keep.sql", KEEP)

    def write(self, path: str, text: str) -> None:
        """Write one of its files."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def edit(self, path: str, *changes: tuple[str, str]) -> None:
        """Change one of its files."""
        text = (self.folder / path).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.write(path, text)

    def check(self, *arguments: str) -> SimpleNamespace:
        """Check it on the command line."""
        plans = {"HEADGATE_PLANS": str(self.folder.parent)}
        result: SimpleNamespace = self._run("check", *arguments, settings=self.settings, **plans)
        return result

    def migrate(self) -> None:
        """Apply it."""
        migrate(replace(self.settings, plans=(self.folder,)))

    def traces(self) -> list[str]:
        """Return the plan's traces in the database."""
        query = """
            select nspname::text as name from pg_namespace where nspname = 'fruit'
            union all select name from headgate.operations where name like 'fruit%'
            union all select path from headgate.schema_files where path like '%fruit%'
            union all select kind from headgate.declarations
        """
        with connect(self.settings, "test") as connection:
            return [x["name"] for x in connection.execute(query)]


@pytest.fixture
def fruit(run: Run, core: Settings, tmp_path: Path) -> Fruit:
    """Write the plan."""
    return Fruit(tmp_path / "plans" / "fruit", run, core)


def test_a_new_plan_is_tried_from_migration_to_step_and_nothing_of_it_stays(fruit: Fruit):
    result = fruit.check()

    assert (result.code, result.err) == (0, "nothing was changed; headgate migrate applies it\n")
    first, *rest = result.out.splitlines()
    assert first == "plan fruit: 5 created, 0 unchanged"
    assert [x.split(maxsplit=1) for x in rest[3:]] == [
        ["created", "provider fruit"],
        ["created", "operation fruit_apples"],
        ["created", "pipeline fruit"],
        ["created", "pipeline fruit, step all"],
        ["created", "pipeline fruit, step again"],
    ]
    assert [Path(x.split()[-1]).name for x in rest[:3]] == [
        "0001_apples.sql",
        "keep.sql",
        "plan.sql",
    ]
    assert fruit.traces() == []


def test_check_says_which_columns_of_an_applied_plan_change_and_what_is_retired(fruit: Fruit):
    fruit.migrate()
    assert "plan fruit: 5 unchanged\n" == fruit.check("fruit").out
    before = fruit.traces()
    fruit.edit("plan.sql", ("units => 1", "units => 2"), ("quota => 100", "quota => 200"))
    fruit.edit("plan.sql", (PLAN.splitlines(keepends=True)[8], ""))

    result = fruit.check("fruit")

    lines = [" ".join(x.split()) for x in result.out.splitlines()]
    assert lines[0] == "plan fruit: 2 changed, 1 retired, 2 unchanged"
    assert lines[2:] == [
        "changed provider fruit: quota",
        "changed operation fruit_apples: units",
        "retired pipeline fruit, step again",
    ]
    assert (result.code, fruit.traces()) == (0, before)


def test_all_mistakes_are_listed_with_line_and_hint(fruit: Fruit):
    fruit.edit("plan.sql", ("every 1 day", "evry 1 day"), ("'{all}'", "'{al}'"))
    fruit.edit("functions/keep.sql", ("insert into fruit.apples", "insert into fruit.aples"))

    result = fruit.check()
    document = json.loads(fruit.check("--json").out)

    assert result.code == 1 and "3 mistakes; nothing was changed" in result.err
    (found,) = document["plans"]
    said = [(Path(x["place"]).name, x["message"], x["hint"]) for x in found["mistakes"]]
    assert [x[:2] for x in said] == [
        ("keep.sql:8", 'relation "fruit.aples" does not exist'),
        ("plan.sql:5", "operation fruit_apples: due cannot be 'evry 1 day'"),
        ("plan.sql:9", "pipeline fruit, step again: depends on unknown step 'al'"),
    ]
    assert "did you mean every?" in said[1][2] and "did you mean all?" in said[2][2]
    for place, message, _ in said:
        assert f"{place}: {message}" in result.out
    assert fruit.traces() == []


def test_a_plan_that_declares_nothing_is_a_mistake(fruit: Fruit):
    fruit.write("plan.sql", "-- soon\n")

    result = fruit.check()

    assert result.code == 1
    assert "plan.sql: it declares nothing\n    hint: a plan's file begins with" in result.out


def test_a_migration_that_fails_is_the_only_mistake(fruit: Fruit):
    fruit.edit("migrations/0001_apples.sql", ("color text", "color txt"))

    result = fruit.check()

    assert result.code == 1
    assert '0001_apples.sql:1: type "txt" does not exist' in result.out
    assert result.out.splitlines()[0] == "plan fruit: 1 mistake"


def test_a_plan_may_be_named_by_its_folder(fruit: Fruit, run: Run, core: Settings, tmp_path: Path):
    assert run("check", str(fruit.folder), settings=core).code == 0

    other = run("check", str(tmp_path), settings=core)
    assert (other.code, f"error: {tmp_path} is not a plan's folder" in other.err) == (1, True)


def test_an_unknown_plan_is_refused_with_similar_names(fruit: Fruit):
    result = fruit.check("frut")

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(
        "error: there is no plan 'frut' [HG008]\nhint: did you mean fruit?"
    )


def test_without_the_core_check_says_what_to_run_first(run: Run, clone_for_test, core: Settings):
    empty = replace(clone_for_test(None), db=core.db)

    result = run("check", settings=empty)

    assert (result.code, result.out) == (1, "")
    assert "hint: run: headgate migrate" in result.err


def test_a_folder_of_several_plans_is_not_taken_for_one(fruit: Fruit):
    other = fruit.folder.parent / "nuts" / "plan.sql"
    other.parent.mkdir()
    other.touch()

    result = fruit.check(f"{fruit.folder.parent}/")

    assert result.code == 1
    assert "is not a plan's folder [HG008]\nhint: a plan is a folder with a file" in result.err


def test_folders_without_a_plan_are_named(fruit: Fruit):
    for path in fruit.folder.rglob("*.sql"):
        path.unlink()
    for folder in ("migrations", "functions"):
        (fruit.folder / folder).rmdir()

    result = fruit.check()

    assert result.code == 1
    assert f"error: there is no plan in {fruit.folder.parent} [HG008]\nhint: " in result.err
