-- The steps that depend on these, directly or through others.

create or replace function headgate._behind(
    p_execution_id bigint,
    p_steps text[]
)
returns table (step text)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    with recursive behind as (
        select s.step
        from headgate.process_steps as s
        where s.execution_id = p_execution_id
            and s.depends_on && p_steps
        union
        select s.step
        from behind as b
        join headgate.process_steps as s on s.execution_id = p_execution_id and b.step = any (s.depends_on)
    )
    select b.step from behind as b;
$func$;
