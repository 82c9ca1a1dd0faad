-- A step that raises, or whose report says so, fails, and nothing else does; its message is its output. After a
-- deadlock or the like, the whole call is repeated.

create or replace function headgate._run_step(
    p_execution headgate.process_executions,
    p_step text,
    p_skip_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step constant headgate.process_steps := headgate._step(p_execution, p_step);
    v_pipeline constant text := (
        select p.name from headgate.pipelines as p where p.pipeline_id = p_execution.pipeline_id
    );
    v_began constant timestamptz := clock_timestamp();
    v_rows jsonb;
    v_result record;
    v_retry_at timestamptz;
    v_hint text;
    v_detail text;
begin
    if p_skip_reason is not null then
        perform headgate._leave_step(p_execution.execution_id, p_step, p_skip_reason, p_now);
        return;
    end if;
    begin
        if v_step.kind = 'fan_out' then
            perform headgate.enqueue_step(v_pipeline, p_execution.run_id, p_step);
            return;
        elsif v_step.retry_at is null and not headgate._meets_condition(v_step) then
            perform headgate._leave_step(p_execution.execution_id, p_step, 'condition', p_now);
            return;
        end if;
        v_rows := headgate._call_step(v_step.function, v_pipeline, p_execution.run_id);
        perform headgate._raise(
            'HG020',
            format('step %s took longer than its timeout of %s', p_step, headgate.in_words(v_step.timeout)),
            'what it wrote was undone; make it faster, or give it a longer timeout'
        )
        where clock_timestamp() > v_began + v_step.timeout;
        select * into v_result from headgate._step_result(v_step.function, v_rows);
    exception
        when transaction_rollback then
            raise;
        when others then
            get stacked diagnostics v_hint = pg_exception_hint, v_detail = pg_exception_detail;
            select 'failed' as status, jsonb_strip_nulls(jsonb_build_object(
                'error', sqlerrm, 'code', sqlstate, 'hint', nullif(v_hint, ''), 'detail', nullif(v_detail, '')
            )) as output
            into v_result;
    end;

    -- An operator's decision about the step in the meantime wins.
    v_retry_at := case when v_result.status = 'failed' then headgate._retry_at(v_step, headgate.clock()) end;
    update headgate.process_steps as s
    set status = case when v_retry_at is null then v_result.status else 'pending' end,
        output = v_result.output,
        round = s.round + case when s.retry_at is null or s.kind = 'fan_out' then 0 else 1 end,
        retried = s.retried + case when v_retry_at is null then 0 else 1 end,
        retry_at = v_retry_at,
        is_rerun = false,
        started_at = coalesce(s.started_at, p_now),
        finished_at = case when v_retry_at is null then headgate.clock() end
    where s.execution_id = p_execution.execution_id
        and s.step = p_step
        and s.status <> 'cancelled'
        and not s.is_marked;
    perform headgate._announce(p_execution.execution_id);
    if v_result.status = 'failed' and v_retry_at is null and v_step.function = 'headgate.finalize_execution' then
        perform from headgate.process_executions as e where e.execution_id = p_execution.execution_id for update;
        perform headgate._close_execution(p_execution.execution_id, p_now);
    end if;
end;
$func$;
