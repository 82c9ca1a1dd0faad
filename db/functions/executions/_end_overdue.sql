-- End what is past its deadline: a step fails, an execution ends as failed. As when an execution is finalized, waiting
-- work is deferred, and work in flight loses its lease.

-- End one step or execution; false: none is overdue, or another session holds it.
create or replace function headgate._end_overdue(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_late record;
begin
    for v_late in
        select e.execution_id, e.pipeline_id, null as step
        from headgate.process_executions as e
        where e.status = 'running'
            and e.deadline_at <= p_now
        union all
        select e.execution_id, e.pipeline_id, s.step
        from headgate.process_steps as s
        join headgate.process_executions as e using (execution_id)
        where s.status = 'running'
            and s.deadline_at <= p_now
            and e.status = 'running'
            and not coalesce(e.deadline_at <= p_now, false)
    loop
        continue when not headgate._try_lock(format('advance %s', v_late.pipeline_id))
            or not headgate._try_lock(format('runs %s', v_late.pipeline_id));
        if v_late.step is null then
            perform headgate._end_late_execution(v_late.execution_id, p_now);
        else
            perform headgate._end_late_step(v_late.execution_id, v_late.step, p_now);
        end if;
        return true;
    end loop;
    return false;
end;
$func$;

-- A session that waits for the execution may have ended the step meanwhile.
create or replace function headgate._end_late_step(
    p_execution_id bigint,
    p_step text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks constant headgate.chunks[] := headgate._hold_execution(p_execution_id);
    v_step headgate.process_steps;
begin
    update headgate.process_steps as s
    set is_late = true,
        output = jsonb_build_object(
            'error', format('the step was not over after its timeout of %s', headgate.in_words(s.timeout))
        )
    where s.execution_id = p_execution_id
        and s.step = p_step
        and s.status = 'running'
        and s.deadline_at <= p_now
    returning s.* into v_step;
    if not found then
        return;
    end if;
    perform headgate._end_held(
        array(select c from unnest(v_chunks) as c where c.step = p_step), 'deferred',
        format('timeout: the step was not over after %s', headgate.in_words(v_step.timeout)), p_now
    );
    v_step := headgate._hold_step(p_execution_id, p_step);
    perform headgate._close_step(v_step, p_now);  -- it has no jobs
end;
$func$;

create or replace function headgate._end_late_execution(
    p_execution_id bigint,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks constant headgate.chunks[] := headgate._hold_execution(p_execution_id);
    v_execution headgate.process_executions;
    v_pipeline headgate.pipelines;
    v_said text;
begin
    select * into v_execution from headgate.process_executions as e where e.execution_id = p_execution_id;
    select * into v_pipeline from headgate.pipelines as p where p.pipeline_id = v_execution.pipeline_id;
    if v_execution.status <> 'running' or not coalesce(v_execution.deadline_at <= p_now, false) then
        return;
    end if;
    v_said := format('the run was not over after its timeout of %s', headgate.in_words(v_pipeline.timeout));
    update headgate.process_steps as s
    set is_late = true, output = jsonb_build_object('error', v_said)
    where s.execution_id = p_execution_id
        and s.status = 'running';
    perform headgate._end_held(v_chunks, 'deferred', 'timeout: ' || v_said, p_now);
    perform headgate._close_execution(p_execution_id, p_now, true);
    perform headgate._set_alert(
        headgate._deadline_subject(v_pipeline.name), 'error',
        format(
            'run %s was not over at %s UTC and was ended; headgate.retry_failed goes on with it', v_execution.run_id,
            to_char(v_execution.deadline_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
        ),
        true, p_now
    );
end;
$func$;
