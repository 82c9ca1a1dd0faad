create or replace function headgate.retry_failed(
    p_pipeline text,
    p_run_id text,
    p_step text default null
)
returns table (planned integer, sent integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_step headgate.process_steps;
    v_planned integer;
begin
    if p_step is not null then
        perform headgate._step(v_execution, p_step);
    end if;
    planned := 0;
    sent := 0;
    perform headgate._enter_planning(v_execution, p_step, v_now);
    for v_step in
        select s.*
        from headgate.process_steps as s
        where s.execution_id = v_execution.execution_id
            and (p_step is null or s.step = p_step)
            and s.planned > 0
            and s.status not in ('pending', 'running')
        order by s.position
    loop
        v_planned := headgate._open_round(v_execution, v_step, v_step.attempt, v_now);  -- attempts are Airflow's to count
        if v_planned > 0 then
            planned := planned + v_planned;
            sent := sent + headgate._send_step(v_execution, v_step.step, v_now);
            perform headgate._reopen_after(v_execution, v_step.step);
        end if;
    end loop;
    perform headgate._record_action(
        'retry_failed', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step),
        jsonb_build_object('planned', planned, 'sent', sent)
    );
    return next;
end;
$func$;

comment on function headgate.retry_failed(text, text, text) is
    'Run again, within what may be spent now, the jobs of ended steps that failed, were deferred or cancelled.';

-- With headgate's own driver the function steps behind a reopened step (finalize) run again too.
create or replace function headgate._reopen_after(
    p_execution headgate.process_executions,
    p_step text
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.process_steps as s
    set status = 'pending', started_at = null, finished_at = null
    from headgate.pipeline_steps as g
    where p_execution.driver = 'headgate'
        and s.execution_id = p_execution.execution_id
        and g.pipeline_id = p_execution.pipeline_id
        and g.step = s.step
        and g.kind = 'function'
        and p_step = any (g.depends_on)
        and s.status not in ('pending', 'running');
$func$;
