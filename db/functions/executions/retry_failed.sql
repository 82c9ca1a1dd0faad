create or replace function headgate.retry_failed(
    p_pipeline text,
    p_run_id text,
    p_step text default null
)
returns table (planned integer, sent integer, reopened integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_rounds record;
begin
    if p_step is not null then
        perform headgate._step(v_execution, p_step);
    end if;
    perform headgate._enter_planning(v_execution, p_step, v_now);
    v_execution := headgate._execution(p_pipeline, p_run_id);
    select * into v_rounds
    from headgate._open_rounds(v_execution, headgate._steps_to_retry(v_execution, p_step));
    planned := v_rounds.planned;
    reopened := cardinality(v_rounds.opened) + v_rounds.reopened + headgate._retry_now(v_execution, p_step, v_now);
    -- Attempts are counted by Airflow.
    select coalesce(sum(headgate._send_step(v_execution, s.step, s.attempt, v_now)), 0)
    into sent
    from headgate._unblocked(v_execution, v_rounds.opened) as s;
    perform headgate._end_reopened(v_execution.execution_id, v_now);
    if reopened > 0 then
        perform pg_notify('headgate_jobs', '');
    end if;
    perform headgate._record_action(
        'retry_failed', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step),
        jsonb_build_object('planned', planned, 'sent', sent, 'reopened', reopened)
    );
    return next;
end;
$func$;

comment on function headgate.retry_failed(text, text, text) is
    'Run again, within the current budget, what failed, was deferred, cancelled or left out, and what was skipped '
    'behind it; returns jobs planned, chunks sent, steps opened.';

-- Steps that wait for a retry of their own do not wait longer.
create or replace function headgate._retry_now(
    p_execution headgate.process_executions,
    p_step text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_steps integer;
begin
    update headgate.process_steps as s
    set retry_at = p_now
    where s.execution_id = p_execution.execution_id
        and s.retry_at > p_now
        and (p_step is null or s.step = p_step);
    get diagnostics v_steps = row_count;
    return v_steps;
end;
$func$;

-- Ended steps with jobs left undone. A step that an operator decided runs again only if named; a function step that
-- Airflow calls, only when Airflow calls it.
create or replace function headgate._steps_to_retry(
    p_execution headgate.process_executions,
    p_step text
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(array_agg(s.step), '{}')
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.status not in ('pending', 'running')
        and (s.step = p_step or p_step is null and not s.is_marked)
        and (s.kind = 'fan_out' or p_execution.driver = 'headgate' or s.status = 'cancelled')
        and case
            when s.step = p_step then s.kind = 'fan_out' or s.status <> 'succeeded'
            when s.status = 'skipped' then s.skip_reason = 'finalized' and s.planned_at is not null
            -- a successful step can have failed jobs
            else s.status in ('failed', 'cancelled') or s.planned_at is not null
        end;
$func$;

-- Fan-outs to run again that do not depend on others of them; those behind are sent in their turn.
create or replace function headgate._unblocked(
    p_execution headgate.process_executions,
    p_steps text[]
)
returns setof headgate.process_steps
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.*
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.step = any (p_steps)
        and s.kind = 'fan_out'
        and s.planned_at is not null
        and s.step not in (
            select b.step
            from headgate._behind(p_execution.execution_id, array(
                select u.step
                from headgate.process_steps as u
                where u.execution_id = p_execution.execution_id
                    and u.status in ('pending', 'running')
                    and (u.kind = 'fan_out' or p_execution.driver = 'headgate')
            )) as b
        )
    order by s.position;
$func$;
