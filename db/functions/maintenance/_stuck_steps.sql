-- Steps that wait for jobs that do not exist.

create or replace function headgate._stuck_steps()
returns table (
    execution_id bigint, step text, run_id text, round integer, operations text[], planned integer, ended integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        s.execution_id, s.step, e.run_id, s.round, s.operations, s.planned,
        n.ended
    from headgate.process_steps as s
    join headgate._step_counters as n using (execution_id, step)
    join headgate.process_executions as e using (execution_id)
    where s.kind = 'fan_out'
        and s.status = 'running'
        and s.planned_at is not null  -- else it is planned next, or waits for another execution
        and e.status in ('running', 'paused')
        and not exists (select from headgate.chunks as c where c.execution_id = s.execution_id and c.step = s.step);
$func$;
