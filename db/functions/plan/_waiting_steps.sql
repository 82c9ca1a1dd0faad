-- Steps that wait because another execution holds pairs that every execution has to process (due rule run): the pairs
-- must neither be processed twice at once nor be left out. Such a step is planned as a whole once the other has ended.

create or replace function headgate._waiting_steps(
    p_execution_id bigint,
    p_step text
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(array_agg(distinct t.step), '{}')
    from headgate.process_executions as e
    join headgate.process_steps as t using (execution_id)
    join headgate.operations as o on o.name = any (t.operations) and o.due_rule = 'run'
    join headgate.asset_processing_state as s on s.operation_id = o.operation_id and s.chunk_id is not null
    join headgate.chunks as c on c.chunk_id = s.chunk_id and c.execution_id <> e.execution_id
    join headgate.assets as a on a.asset_id = s.asset_id and a.universe = o.universe
    where e.execution_id = p_execution_id
        and t.kind = 'fan_out'
        and t.planned_at is null
        and t.status in ('pending', 'running')
        and (p_step is null or t.step = p_step)
        and (t.group_keys is null or a.group_key = any (t.group_keys));
$func$;
