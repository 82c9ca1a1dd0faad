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
    if headgate._end_overdue(v_now) then
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

-- Running executions with a step whose dependencies have ended, or with no step left to run.
create or replace function headgate._advanceable(p_now timestamptz)
returns setof headgate.process_executions
language sql
stable
set search_path = pg_catalog, pg_temp
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

-- One step further; false where another runner, or an operator, was faster.
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

-- Plan and send a step that has waited for what another execution held.
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

-- Continue an execution that was reopened after its scheduler ended it: failed steps that depend on each other are sent
-- in order, and when nothing more can run, it ends. Chunks planned for a step that has not been sent by then end
-- deferred.
create or replace function headgate._advance_reopened(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution headgate.process_executions;
    v_step text;
begin
    for v_execution in
        select e.*
        from headgate.process_executions as e
        where e.driver = 'airflow'
            and e.status in ('running', 'paused')
            and e.reopened_at is not null
            and headgate._is_worked_off(e.execution_id, '{queued,leased,parked}')
        order by e.execution_id
    loop
        continue when not headgate._try_lock(format('runs %s', v_execution.pipeline_id));
        select r.step into v_step
        from headgate._ready_steps(v_execution.execution_id, p_now) as r
        where r.skip_reason is null
            and v_execution.status = 'running'
            and headgate._waits_for_its_turn(v_execution.execution_id, r.step)
        limit 1;
        if v_step is not null then
            perform headgate._send_step(v_execution, v_step, 1, p_now);
            perform headgate._end_reopened(v_execution.execution_id, p_now);
            return true;
        elsif headgate._finish_reopened(v_execution.execution_id, p_now) then
            return true;
        end if;
    end loop;
    return false;
end;
$func$;

-- Whether somebody asked to run the step again, rather than it being reopened only because it is behind one that was.
create or replace function headgate._waits_for_its_turn(
    p_execution_id bigint,
    p_step text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.process_steps as s
        join headgate.chunks as c using (execution_id, step)
        where s.execution_id = p_execution_id
            and s.step = p_step
            and s.reopened_from <> 'skipped'
            and c.state = 'planned'
    );
$func$;

create or replace function headgate._finish_reopened(
    p_execution_id bigint,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks constant headgate.chunks[] := headgate._hold_execution(p_execution_id);
begin
    if not headgate._is_worked_off(p_execution_id, '{queued,leased,parked}')
        or not exists (
            select
            from headgate.process_executions as e
            where e.execution_id = p_execution_id
                and e.reopened_at is not null
        )
    then
        return false;
    end if;
    perform headgate._end_held(v_chunks, 'deferred', 'the execution was finalized', p_now);
    perform headgate._end_reopened(p_execution_id, p_now);  -- the last chunk may have ended it
    return true;
end;
$func$;

-- Pending steps whose rule can be decided, and why those that will not run are skipped. one_success and one_failed do
-- not wait for all. A retry is not decided again.
create or replace function headgate._ready_steps(
    p_execution_id bigint,
    p_now timestamptz
)
returns table (step text, skip_reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.step, case when s.retry_at is null then headgate._by_rule(s.trigger_rule, d.states) end
    from headgate.process_steps as s
    cross join lateral (
        select
            coalesce(array_agg(headgate._counts_as(u.status, u.skip_reason)), '{}') as states,
            count(*) filter (where u.status in ('pending', 'running')) as open_steps
        from headgate.process_steps as u
        where u.execution_id = s.execution_id
            and u.step = any (s.depends_on)
    ) as d
    where s.execution_id = p_execution_id
        and s.status = 'pending'
        and coalesce(s.retry_at <= p_now, true)
        and (
            d.open_steps = 0
            or s.trigger_rule = 'one_success' and 'success' = any (d.states)
            or s.trigger_rule = 'one_failed' and d.states && '{failed,upstream_failed}'
        )
    order by s.position;
$func$;

-- A step as the rules behind it see it, in Airflow's words; null: it has not ended. A step that an operator skipped
-- counts as passed, so that the chain continues; one that never ran because the execution ended counts like one that
-- could not.
create or replace function headgate._counts_as(
    p_status text,
    p_skip_reason text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_status = 'succeeded' or p_skip_reason = 'operator' then 'success'
        when p_status in ('failed', 'cancelled') then 'failed'
        when p_skip_reason in ('upstream_failed', 'finalized') then 'upstream_failed'
        when p_status = 'skipped' then 'skipped'
    end;
$func$;

-- Null: the step runs; else why it is skipped: upstream_failed where Airflow calls it so, rule where it says skipped.
create or replace function headgate._by_rule(
    p_trigger_rule text,
    p_states text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when d.total = 0 or p_trigger_rule = 'all_done' then null
        when p_trigger_rule = 'all_success' then
            case when d.failed > 0 then 'upstream_failed' when d.skipped > 0 then 'rule' end
        when p_trigger_rule = 'one_success' then
            case when d.passed > 0 then null when d.skipped = d.total then 'rule' else 'upstream_failed' end
        when p_trigger_rule = 'one_failed' then case when d.failed = 0 then 'rule' end
        when p_trigger_rule = 'all_failed' then case when d.failed < d.total then 'rule' end
        when p_trigger_rule = 'none_failed' then case when d.failed > 0 then 'upstream_failed' end
        when p_trigger_rule = 'none_failed_min_one_success' then
            case when d.failed > 0 then 'upstream_failed' when d.passed = 0 then 'rule' end
    end
    from (
        select
            cardinality(p_states) as total,
            count(*) filter (where u.state = 'success') as passed,
            count(*) filter (where u.state in ('failed', 'upstream_failed')) as failed,
            count(*) filter (where u.state = 'skipped') as skipped
        from unnest(p_states) as u (state)
    ) as d;
$func$;

-- A step that raises, or whose report says so, has failed, and nothing else; what it said is its output. Deadlocks and
-- the like are repeated whole.
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
            'HG020', format('step %s took longer than its timeout of %s', p_step, v_step.timeout),
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
