-- With driver headgate, runners advance executions, one step per call, so that each transaction takes its locks in
-- order. An execution that another runner is advancing is skipped.

create or replace function headgate.advance_executions()
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
begin
    if exists (select from headgate.step_counts) and headgate._settle_steps(v_now) or headgate._end_overdue(v_now) then
        return true;
    end if;
    for v_execution in select * from headgate._advanceable(v_now) loop
        if headgate._try_lock(format('advance %s', v_execution.pipeline_id))
            and headgate._advance(v_execution, v_now)
        then
            return true;
        end if;
    end loop;
    if exists (select from headgate.queued_runs) and headgate._start_queued(v_now) then
        return true;
    end if;
    return headgate._advance_waiting(v_now) or headgate._advance_reopened(v_now) or headgate._start_due(v_now);
end;
$func$;

comment on function headgate.advance_executions() is
    'Start the next step of an execution with driver headgate, or end it; true: something was done, so call again.';

-- Running executions with a step whose dependencies have ended, or with no step left to run. By index also where many
-- runs have just started and the planner believes that there are few steps: it would read all of them for each run.
create or replace function headgate._advanceable(p_now timestamptz)
returns setof headgate.process_executions
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    select e.*
    from headgate.process_executions as e
    where e.driver = 'headgate'
        and e.status = 'running'
        and (
            exists (
                select
                from headgate.process_steps as s
                where s.execution_id = e.execution_id
                    and s.status = 'pending'
                    and coalesce(s.retry_at <= p_now, true)
                    and not exists (
                        select
                        from headgate.process_steps as u
                        where u.execution_id = s.execution_id
                            and u.step = any (s.depends_on)
                            and u.status in ('pending', 'running')
                    )
            )
            or exists (  -- rules that do not wait for all
                select
                from headgate.process_steps as s
                join headgate.process_steps as u on u.execution_id = s.execution_id and u.step = any (s.depends_on)
                where s.execution_id = e.execution_id
                    and s.status = 'pending'
                    and coalesce(s.retry_at <= p_now, true)
                    and s.trigger_rule in ('one_success', 'one_failed')
                    and s.trigger_rule = case headgate._counts_as(u.status, u.skip_reason)
                        when 'success' then 'one_success'
                        when 'failed' then 'one_failed'
                        when 'upstream_failed' then 'one_failed'
                    end
            )
            or not exists (
                select
                from headgate.process_steps as s
                where s.execution_id = e.execution_id
                    and s.status in ('pending', 'running')
            )
        )
    order by e.execution_id;
$func$;

-- Advance one step; false if another runner or an operator was faster.
create or replace function headgate._advance(
    p_execution headgate.process_executions,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step record;
begin
    select * into v_step from headgate._ready_steps(p_execution.execution_id, p_now) limit 1;
    if found then
        perform headgate._run_step(p_execution, v_step.step, v_step.skip_reason, p_now);
        return true;
    elsif headgate._has_open_step(p_execution.execution_id) then
        return false;
    end if;
    perform
    from headgate.process_executions as e
    where e.execution_id = p_execution.execution_id
        and e.status = 'running'
    for update;
    if not found or headgate._has_open_step(p_execution.execution_id) then
        return false;
    end if;
    perform headgate._close_execution(p_execution.execution_id, p_now);  -- a graph without a finalizing step
    return true;
end;
$func$;

-- Plan and send a step that has waited for pairs that another execution held.
create or replace function headgate._advance_waiting(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution headgate.process_executions;
    v_step record;
begin
    for v_step in
        select s.execution_id, s.step, s.attempt
        from headgate.process_steps as s
        join headgate.process_executions as e using (execution_id)
        where e.status = 'running'
            and s.status = 'running'
            and s.kind = 'fan_out'
            and s.planned_at is null
        order by s.execution_id, s.position
    loop
        continue when headgate._waiting_steps(v_step.execution_id, v_step.step) <> '{}';
        select e.* into v_execution
        from headgate.process_executions as e
        where e.execution_id = v_step.execution_id;
        continue when not headgate._try_lock(format('step %s %s', v_execution.pipeline_id, v_step.step));
        perform headgate._write_plan(v_execution, v_step.step);
        perform headgate._send_step(v_execution, v_step.step, v_step.attempt, p_now);
        perform headgate._end_reopened(v_step.execution_id, p_now);
        return true;
    end loop;
    return false;
end;
$func$;
