-- The standing of the chunk's step: running, paused or step_ended.

create or replace function headgate._standing(p_chunk headgate.chunks)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when e.status not in ('running', 'paused') or s.status not in ('pending', 'running') then 'step_ended'
        else e.status
    end
    from headgate.process_executions as e
    join headgate.process_steps as s using (execution_id)
    where e.execution_id = p_chunk.execution_id
        and s.step = p_chunk.step;
$func$;
