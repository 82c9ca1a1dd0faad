-- Nothing more starts; calls in flight finish and their results count. A queued run is taken out of the queue.

create or replace function headgate.cancel_execution(
    p_pipeline text,
    p_run_id text
)
returns table (cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
begin
    if headgate._is_taken_out(p_pipeline, p_run_id) then
        cancelled := 0;
        return next;
        return;
    end if;
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    cancelled := 0;
    if v_execution.status in ('running', 'paused') then
        cancelled := headgate._cancel_waiting(v_execution.execution_id, null, 'the execution was cancelled', v_now);
        perform headgate._take_counts(v_execution.execution_id);
        update headgate.process_steps as s
        set status = 'cancelled', reopened_from = null, retry_at = null, is_rerun = false,
            started_at = coalesce(s.started_at, v_now), finished_at = v_now
        where s.execution_id = v_execution.execution_id
            and s.status in ('pending', 'running');
        update headgate.process_executions as e
        set status = 'cancelled', finished_at = v_now, reopened_at = null, planned = t.planned,
            succeeded = t.succeeded, failed = t.failed, deferred = t.deferred, skipped = t.skipped, units = t.units
        from headgate._totals(v_execution.execution_id) as t
        where e.execution_id = v_execution.execution_id;
        perform headgate._announce(v_execution.execution_id);
    end if;
    perform headgate._record_action(
        'cancel_execution', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id),
        jsonb_build_object('cancelled', cancelled)
    );
    return next;
end;
$func$;

comment on function headgate.cancel_execution(text, text) is
    'Stop an execution: what has not started is cancelled and its units return; returns how many jobs. A queued run is '
    'taken out of the queue.';

create or replace function headgate._is_taken_out(
    p_pipeline text,
    p_run_id text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.queued_runs as q
    using headgate.pipelines as p
    where p.pipeline_id = q.pipeline_id
        and p.name = p_pipeline
        and q.run_id = p_run_id;
    if not found then
        return false;
    end if;
    perform headgate._record_action(
        'cancel_execution', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id), '{"cancelled": 0}'
    );
    return true;
end;
$func$;
