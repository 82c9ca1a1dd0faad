-- Contradictions in the plans' rows, one row per mistake. A mistake caused only by a missing object names that object.

create or replace function headgate._plan_mistakes()
returns table (kind text, name text, code text, message text, hint text, missing_kind text, missing text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select * from headgate._pipeline_mistakes()
    union all
    select * from headgate._step_mistakes()
    union all
    select * from headgate._output_mistakes()
    union all
    select 'operation', m.name, m.code, m.message, m.hint, null, null
    from (
        select o.operation_id, o.name, f.code, f.message, f.hint
        from headgate.operations as o
        cross join headgate._operation_mistakes(o) as f
        where not o.is_retired
        order by o.operation_id
    ) as m;
$func$;
