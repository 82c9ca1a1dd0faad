"""Gives a test's own schema to a plan's role: the core calls only functions of plans' roles.

What is as it should be is left alone: each change of a schema makes the session plan all of its statements again.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection, sql

ADOPT = """
do $adopt$
declare
    v_object record;
begin
    if to_regrole({role}) is null then
        create role {name} nologin;
    end if;
    alter schema {schema} owner to {name};
    if not has_schema_privilege('headgate_nobody', {literal}, 'usage') then
        grant usage on schema {schema} to headgate_nobody;
    end if;
    if not has_schema_privilege({role}, 'headgate', 'usage') then
        grant usage on schema headgate to {name};
    end if;
    if not pg_has_role({role}, 'headgate_reader', 'usage') then
        grant headgate_reader to {name};  -- what it needs of the grants that migrate makes
    end if;
    for v_object in
        select distinct p.oid::regprocedure as name
        from (
            select o.ingest_function as name from headgate.operations as o
            union select o.input_function from headgate.operations as o
            union select o.body_function from headgate.operations as o
            union select o.due_function from headgate.operations as o
            union select s.function from headgate.pipeline_steps as s
        ) as f
        join pg_catalog.pg_proc as p
            on p.proname = split_part(f.name, '.', 2) and p.pronamespace = {literal}::regnamespace
        where split_part(f.name, '.', 1) = {literal}
            and (p.proowner <> {role}::regrole or not p.prosecdef or p.proconfig is null)
    loop
        execute format('alter function %s owner to {name}', v_object.name);
        execute format('alter function %s security definer', v_object.name);
        execute format('alter function %s set search_path = pg_catalog, public, pg_temp', v_object.name);
    end loop;
    for v_object in
        select c.oid::regclass as name from pg_catalog.pg_class as c
        where c.relnamespace = {literal}::regnamespace and c.relkind in ('r', 'p', 'v')
            and c.relowner <> {role}::regrole
    loop
        execute format('alter table %s owner to {name}', v_object.name);
    end loop;
end;
$adopt$
"""


def adopt(connection: Connection[Any], schema: str = "public") -> None:
    """Give the schema's tables, and the functions that rows name, the owner and options that a plan needs."""
    role = f"headgate_plan_{schema}"
    names = {"role": sql.Literal(role), "name": sql.Identifier(role)}
    names |= {"schema": sql.Identifier(schema), "literal": sql.Literal(schema)}
    connection.execute(sql.SQL(ADOPT).format(**names))
