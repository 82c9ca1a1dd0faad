-- Whether an execution has no running step and no chunk in these states.

create or replace function headgate._is_worked_off(
    p_execution_id bigint,
    p_states text[]
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select not exists (
        select
        from headgate.process_steps as s
        where s.execution_id = p_execution_id
            and s.status = 'running'
    )
    and not exists (
        select
        from headgate.chunks as c
        where c.execution_id = p_execution_id
            and c.state = any (p_states)
    );
$func$;
