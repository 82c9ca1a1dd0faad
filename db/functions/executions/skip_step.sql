create or replace function headgate.skip_step(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_definition constant headgate.pipeline_steps := headgate._step(v_execution, p_step);
begin
    cancelled := headgate._end_chunks(
        array(
            select c.chunk_id
            from headgate.chunks as c
            where c.execution_id = v_execution.execution_id
                and c.step = v_definition.step
                and c.state <> 'leased'
            order by c.chunk_id
            for update
        ),
        'cancelled', 'the step was skipped', v_now
    );
    perform from headgate.process_executions as e where e.execution_id = v_execution.execution_id for update;
    update headgate.process_steps as s
    set status = 'skipped', started_at = coalesce(s.started_at, v_now), finished_at = v_now
    where s.execution_id = v_execution.execution_id
        and s.step = v_definition.step
        and s.status in ('pending', 'running');
    if found then
        perform headgate._announce(v_execution.execution_id, v_definition.step, 'skipped');
    end if;
    return next;
end;
$func$;

comment on function headgate.skip_step(text, text, text) is
    'Leave a step out: what of it has not started is cancelled and its units return; returns how many jobs.';
