-- What a plan declares, in the order of its file.

create or replace function headgate.declared_objects(p_plan text)
returns table (place text, kind text, name text, object text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select d.place, d.kind, d.name, headgate._object(d.kind, d.name)
    from headgate.declarations as d
    where d.plan = p_plan
        and d.is_declared
    order by d.position;
$func$;

comment on function headgate.declared_objects(text) is
    'The objects that a plan''s file declares, each with the file and line of its declaration, in the order of the '
    'file.';
