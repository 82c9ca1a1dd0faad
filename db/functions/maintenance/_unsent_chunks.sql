-- Planned chunks of a running step that were not sent.

create or replace function headgate._unsent_chunks()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.process_steps as s using (execution_id, step)
    where c.state = 'planned'
        and e.status = 'running'
        and s.status = 'running'
        and s.round = c.round;
$func$;
