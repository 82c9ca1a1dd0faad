"""Every object of the schema has a comment, a name that states its rule, and its own file."""

from __future__ import annotations

import re
from pathlib import Path

from tests.plan import Plan
from tests.servers import DB

ROOT = DB.parent
SCHEMAS = """
    select n.oid, n.nspname from pg_namespace as n
    where n.nspname in ('headgate', 'headgate_bi') or pg_get_userbyid(n.nspowner) like 'headgate\\_plan\\_%'
"""
# Called only by roles that have the needed rights themselves, or with nothing to protect.
INVOKERS = {
    "ask_again", "cover_groups", "raise_alert", "reconcile_quota", "rename_asset",
    "reset_asset", "resolve_alert", "set_asset_active", "take_pages", "trust_bulk", "upsert_assets",
    "begin_plan", "end_plan", "note_mistake", "put_provider", "put_rule", "put_operation",
    "put_pipeline", "put_step", "put_parameter", "put_pool", "put_store", "put_check", "put_metric",
    "run_checks",
    "put_channel", "put_route", "notify", "set_channel", "set_store", "hold_notices", "in_words",
}  # fmt: skip
# Private, but not with the caller's rights: a trigger of the owner, queues that belong to the owner whoever declares
# a plan, and calls without rights.
DEFINERS = {
    "_answer", "_note_address", "_open_implied", "_ingest_as_nobody", "_due_as_nobody", "_step_as_nobody",
    "_check_as_nobody", "_bodies_as_nobody",
}  # fmt: skip


def function_files() -> list[Path]:
    """Return the files of stored functions, the core's and the plans'."""
    return sorted([*DB.glob("functions/*/*.sql"), *DB.glob("plans/*/functions/*.sql")])


def defined_in(path: Path) -> list[str]:
    """Return the functions a file defines, without schema."""
    pattern = r"(?im)^create or replace (?:function|procedure) (?:\w+\.)?(\w+)"
    return re.findall(pattern, path.read_text())


def public_functions(db: Plan) -> list[dict[str, object]]:
    """Return the functions of our schemas that are not private."""
    return db.sql(
        f"""
        select p.oid::regprocedure::text as name, n.nspname as schema, p.proname as function,
            p.prosecdef as is_definer, array_to_string(p.proconfig, ' ') as config,
            obj_description(p.oid, 'pg_proc') as comment
        from pg_proc as p join ({SCHEMAS}) as n on n.oid = p.pronamespace
        where p.proname not like '\\_%'
        order by 1
        """
    )


# ----------------------------------------------------------------------- comments


def test_every_table_view_and_type_has_a_comment(db: Plan):
    bare = db.sql(
        f"""
        select c.oid::regclass::text as name
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'c', 'S', 'f') and not c.relispartition
            and obj_description(c.oid, 'pg_class') is null
            and (c.relkind <> 'c' or obj_description(c.reltype, 'pg_type') is null)
            and not (c.relkind = 'S' and exists (
                select from pg_depend as d where d.objid = c.oid and d.deptype in ('i', 'a')
            ))
        """
    )
    assert bare == []


def test_every_column_of_a_table_or_view_has_a_comment(db: Plan):
    bare = db.sql(
        f"""
        select c.oid::regclass::text || '.' || a.attname as name
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relkind in ('r', 'p', 'v') and not c.relispartition
            and col_description(c.oid, a.attnum) is null
        """
    )
    assert bare == []


def test_every_schema_and_every_index_of_its_own_has_a_comment(db: Plan):
    bare = db.sql(
        f"""
        select n.nspname::text as name from ({SCHEMAS}) as n
        where obj_description(n.oid, 'pg_namespace') is null
        union all
        select c.oid::regclass::text
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        join pg_index as i on i.indexrelid = c.oid
        where not c.relispartition
            and obj_description(c.oid, 'pg_class') is null
            and not exists (select from pg_constraint as k where k.conindid = c.oid)
        """
    )
    assert bare == []


def test_every_public_function_has_a_comment(db: Plan):
    assert [x["name"] for x in public_functions(db) if not x["comment"]] == []


def test_a_comment_is_a_sentence(db: Plan):
    comments = db.sql(
        f"""
        select p.oid::regprocedure::text as name, obj_description(p.oid, 'pg_proc') as comment
        from pg_proc as p join ({SCHEMAS}) as n on n.oid = p.pronamespace
        union all
        select c.oid::regclass::text, obj_description(c.oid, 'pg_class')
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'i', 'I')
        """
    )
    assert [x["name"] for x in comments if x["comment"] and not x["comment"].endswith(".")] == []


# -------------------------------------------------------------------------- names


def test_constraints_are_named_by_their_rule(db: Plan):
    """A check named by PostgreSQL (table_column_check) does not explain itself to a user whose row it rejects."""
    found = db.sql(
        f"""
        select k.conrelid::regclass::text || ' ' || k.conname as name
        from pg_constraint as k join ({SCHEMAS}) as n on n.oid = k.connamespace
        join pg_class as c on c.oid = k.conrelid
        where not c.relispartition
            and (k.contype = 'c' and (k.conname ~ '_check[0-9]*$' or k.conname !~ '_')
                or k.contype = 'p' and k.conname <> c.relname || '_pkey'
                or k.contype = 'u' and k.conname ~ '_key[0-9]*$')
        """
    )
    assert found == []


def test_indexes_are_named_after_table_and_purpose(db: Plan):
    found = db.sql(
        f"""
        select c.relname::text as name
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        join pg_index as i on i.indexrelid = c.oid
        join pg_class as t on t.oid = i.indrelid
        where not c.relispartition
            and not exists (select from pg_constraint as k where k.conindid = c.oid)
            and c.relname not like t.relname || '\\_%\\_idx'
        """
    )
    assert found == []


def test_arguments_begin_with_p(db: Plan):
    wrong = db.sql(
        f"""
        select p.oid::regprocedure::text as name, a.name as argument
        from pg_proc as p join ({SCHEMAS}) as n on n.oid = p.pronamespace
        cross join unnest(p.proargnames, p.proargmodes) as a (name, mode)
        where coalesce(a.mode, 'i') in ('i', 'b', 'v') and a.name not like 'p\\_%'
        """
    )
    assert [x["name"] for x in wrong if not is_declaration(x["name"])] == []


def is_declaration(function: str) -> bool:
    """Return whether plan.sql calls it by name, with arguments that read as prose."""
    return re.match(r"headgate\.(put_\w+|begin_plan)\(", function) is not None


def test_times_have_time_zones_and_no_type_is_an_enum(db: Plan):
    found = db.sql(
        f"""
        select c.oid::regclass::text || '.' || a.attname as name
        from pg_class as c join ({SCHEMAS}) as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join pg_type as t on t.oid = a.atttypid
        where t.typtype = 'e' or t.typname = 'timestamp'
            or a.attname like '%\\_at' and t.typname <> 'timestamptz'
            or t.typname = 'bool' and a.attname !~ '^(is|may)_'
                and a.attname not in ('charged', 'from_cache', 'revalidate')  -- so named in the contract
        """
    )
    assert found == []


# -------------------------------------------------------------------------- files


def test_a_public_function_lives_in_the_file_of_its_name():
    for path in function_files():
        public = [x for x in defined_in(path) if not x.startswith("_")]
        expected = [] if path.stem.startswith("_") else [path.stem]
        assert sorted(set(public)) == expected, path


def test_no_line_of_sql_is_longer_than_120_columns():
    """Checks files that people edit; db/schema.sql is generated."""
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(DB.glob("**/*.sql"))
        if path != DB / "schema.sql"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > 120
    ]
    assert long == []


def test_no_function_is_defined_twice():
    defined = [(path.parts[-3], x) for path in function_files() for x in set(defined_in(path))]
    assert len(defined) == len(set(defined))


def test_every_function_of_the_database_has_a_file(db: Plan):
    files = {x for path in function_files() for x in defined_in(path)}
    rows = db.sql(
        f"select p.proname::text as name from pg_proc as p join ({SCHEMAS}) as n"
        " on n.oid = p.pronamespace"
        " where coalesce(obj_description(p.oid, 'pg_proc'), '') !~ 'generated from what its plan'"
    )
    assert {x["name"] for x in rows} == files


def test_every_area_s_public_functions_have_tests_of_their_own():
    tested = {x.name for x in ROOT.glob("tests/db/*/test_*.py")}
    shared = {
        "pause_pipeline": "test_pause_resume.py",
        "resume_pipeline": "test_pause_resume.py",
        "step_status": "test_status.py",
        "execution_status": "test_status.py",
        "applied_files": None,
    }
    missing = [
        path.stem
        for path in DB.glob("functions/*/*.sql")
        if not path.stem.startswith("_")
        and shared.get(path.stem, f"test_{path.stem}.py") not in {*tested, None}
    ]
    assert missing == []


# ------------------------------------------------------------------------- rights


def test_no_function_runs_without_a_pinned_search_path(db: Plan):
    """Except private functions in plain SQL that must be inlined, which a pinned path prevents."""
    loose = db.sql(
        f"""
        select p.oid::regprocedure::text as name
        from pg_proc as p join ({SCHEMAS}) as n on n.oid = p.pronamespace
        join pg_language as l on l.oid = p.prolang
        where coalesce(array_to_string(p.proconfig, ' '), '') !~ 'search_path=pg_catalog, pg_temp'
            and not (p.proname like '\\_%' and l.lanname = 'sql')
        """
    )
    assert loose == []


def test_entry_functions_run_with_their_owner_s_rights_and_private_ones_do_not(db: Plan):
    rows = db.sql(
        """
        select p.proname::text as name, p.prosecdef as is_definer
        from pg_proc as p where p.pronamespace = 'headgate'::regnamespace
        """
    )
    assert {x["name"] for x in rows if x["is_definer"]} == {
        x["name"] for x in rows if not x["name"].startswith("_")
    } - INVOKERS | DEFINERS


def test_only_the_owner_has_rights_on_a_core_table(db: Plan):
    found = db.sql(
        """
        select c.oid::regclass::text as name, a.grantee::regrole::text as role, a.privilege_type
        from pg_class as c cross join lateral aclexplode(c.relacl) as a
        where c.relnamespace = 'headgate'::regnamespace and c.relkind in ('r', 'p', 'S')
            and a.grantee <> c.relowner
        """
    )
    assert found == []


def test_no_private_function_may_be_called_by_others(db: Plan):
    found = db.sql(
        """
        select p.oid::regprocedure::text as name, coalesce(r.rolname, 'public')::text as role
        from pg_proc as p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
        left join pg_roles as r on r.oid = a.grantee
        where p.pronamespace = 'headgate'::regnamespace and p.proname like '\\_%' and a.grantee <> p.proowner
        """
    )
    assert found == []


# --------------------------------------------------------------------- boundaries


def python_files(*folders: str) -> list[Path]:
    """Return our own Python files."""
    return [x for folder in folders for x in ROOT.glob(f"{folder}/**/*.py")]


def test_no_table_of_the_core_is_named_in_runner_or_dags(db: Plan):
    tables = db.sql(
        "select relname::text as name from pg_class where relnamespace = 'headgate'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition and relname <> 'schema_files'"
    )
    names = "|".join(x["name"] for x in tables)
    pattern = re.compile(rf"headgate\.({names})\b|\b(from|join|into|update)\s+({names})\b", re.I)
    imports = re.compile(r"(?m)^\s*from headgate[\w.]* import")
    found = [
        (x.name, y.group())
        for x in python_files("runner", "dags")
        for y in pattern.finditer(imports.sub("", x.read_text()))
    ]
    assert found == []


def test_nothing_in_runner_knows_a_provider():
    """Except the demos, which stand in for one."""
    demo = ROOT / "runner" / "headgate" / "demo"
    for path in python_files("runner"):
        if demo in path.parents:
            continue
        assert "eodhd" not in path.read_text().lower(), path


def test_every_code_the_database_raises_is_documented():
    errors = (ROOT / "docs" / "errors.md").read_text()
    for path in function_files():
        for code in set(re.findall(r"'(HG\d{3})'", path.read_text())):
            assert code in errors, f"{code} of {path.name}"


def test_every_error_has_a_hint():
    for path in function_files():
        for raised in re.findall(r"headgate\._raise\((.*?)\);", path.read_text(), re.S):
            assert raised.count(",") >= 2, f"{path.name}: {raised}"
