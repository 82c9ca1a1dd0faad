-- A session that ends or pauses the execution waits for this transaction or has finished; planners of one provider take
-- turns.

create or replace function headgate._enter_planning(
    p_execution headgate.process_executions,
    p_step text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_provider headgate.providers;
begin
    perform headgate._lock(format('runs %s', p_execution.pipeline_id), p_is_shared => true);
    for v_provider in
        select p.*
        from headgate.providers as p
        where p.provider_id in (
            select c.provider_id
            from headgate.process_steps as s
            join headgate.operations as o on o.name = any (s.operations)
            join headgate.operations as c on o.operation_id in (c.operation_id, c.bulk_call_of_operation_id)
            where s.execution_id = p_execution.execution_id
                and (p_step is null or s.step = p_step)
        )
        order by p.provider_id
    loop
        perform headgate._lock(format('planner %s', v_provider.provider_id));
        perform headgate._open_window(v_provider, p_now);
    end loop;
end;
$func$;
