-- Send a step's planned chunks; plan first where nothing was planned. A later attempt runs the jobs again that did not succeed.

create or replace function headgate.enqueue_step(
    p_pipeline text,
    p_run_id text,
    p_step text,
    p_attempt integer default 1
)
returns table (step text, status text, planned integer, sent integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_definition constant headgate.pipeline_steps := headgate._step(v_execution, p_step);
    v_step headgate.process_steps;
begin
    if v_definition.kind <> 'fan_out' then
        perform headgate._raise(
            'HG008', format('step %s calls a function', p_step), format('call %s instead', v_definition.function)
        );
    end if;
    perform headgate._lock(format('step %s %s', v_execution.pipeline_id, p_step));
    select * into v_step
    from headgate.process_steps as s
    where s.execution_id = v_execution.execution_id
        and s.step = p_step;

    if v_step.status not in ('pending', 'running') and p_attempt > v_step.attempt then
        perform headgate._open_round(v_execution, v_step, p_attempt, v_now);
    elsif v_step.status in ('pending', 'running') then
        perform headgate._check_open(v_execution);
        if v_step.planned_at is null then
            perform headgate._write_plan(v_execution, p_step);
        end if;
    end if;

    sent := headgate._send_step(v_execution, p_step, v_now);
    select s.step, s.status, s.planned
    into step, status, planned
    from headgate.process_steps as s
    where s.execution_id = v_execution.execution_id
        and s.step = p_step;
    return next;
end;
$func$;

comment on function headgate.enqueue_step(text, text, text, integer) is
    'Start a step: send its chunks to the queue. A larger p_attempt runs what failed, was deferred or cancelled again.';

create or replace function headgate._send_step(
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
    v_chunk_ids bigint[];
    v_step headgate.process_steps;
    v_sent integer;
begin
    v_chunk_ids := array(
        select c.chunk_id
        from headgate.chunks as c
        where c.execution_id = p_execution.execution_id
            and c.step = p_step
            and c.state = 'planned'
        order by c.chunk_id
        for update
    );
    -- The step runs before its chunks are sent, so that a chunk without units can end it.
    perform from headgate.process_executions as e where e.execution_id = p_execution.execution_id for key share;
    update headgate.process_steps as s
    set status = 'running',
        started_at = coalesce(s.started_at, p_now)
    where s.execution_id = p_execution.execution_id
        and s.step = p_step
        and s.status = 'pending';
    v_sent := headgate._send_chunks(v_chunk_ids, p_now);

    select * into v_step
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.step = p_step
    for update;
    perform headgate._close_step(v_step, p_now);
    return v_sent;
end;
$func$;

-- A new round of a step that has ended: its failed, deferred and cancelled jobs, planned anew within today's budget.
create or replace function headgate._open_round(
    p_execution headgate.process_executions,
    p_step headgate.process_steps,
    p_attempt integer,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution headgate.process_executions := p_execution;
    v_planned integer;
begin
    if p_execution.status = 'cancelled' then
        perform headgate._check_open(p_execution);
    end if;
    perform headgate._check_unpaused(p) from headgate.pipelines as p where p.pipeline_id = p_execution.pipeline_id;
    if not exists (select from headgate._failed_pairs(p_execution.execution_id, p_step.step)) then
        return 0;
    end if;

    -- Its pairs before the step: a completion takes them in this order, too.
    perform headgate._enter_planning(p_execution, p_step.step, p_now);
    perform
    from headgate.asset_processing_state as s
    join headgate._failed_pairs(p_execution.execution_id, p_step.step) as f using (operation_id, asset_id)
    order by s.operation_id, s.asset_id
    for update of s;
    update headgate.process_steps as s
    set round = s.round + 1,
        attempt = greatest(s.attempt, p_attempt)
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step;
    v_planned := headgate._write_plan(p_execution, p_step.step, true);
    if v_planned = 0 then
        return 0;
    end if;

    update headgate.process_executions as e
    set status = 'running', finished_at = null
    where e.execution_id = p_execution.execution_id
        and e.status in ('succeeded', 'failed');
    update headgate.process_steps as s
    set status = 'pending',
        finished_at = null,
        failed = s.failed - n.failed,
        deferred = s.deferred - n.deferred,
        deferred_by_fault = s.deferred_by_fault - n.deferred_by_fault,
        skipped = s.skipped - n.cancelled
    from headgate._round_counts(p_execution.execution_id, p_step.step) as n
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step;
    return v_planned;
end;
$func$;

-- What the jobs of the round that opens were counted as before. Those of the round before that are still out are counted as nothing
-- any more.
create or replace function headgate._round_counts(
    p_execution_id bigint,
    p_step text,
    out failed integer,
    out deferred integer,
    out deferred_by_fault integer,
    out cancelled integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        count(*) filter (where l.status = 'failed'),
        count(*) filter (where l.status = 'deferred'),
        count(*) filter (where l.status = 'deferred' and headgate._is_fault(l.reason)),
        count(*) filter (where l.status = 'cancelled')
    from (
        select distinct on (d.operation_id, d.asset_id) d.status, d.reason
        from headgate.chunks as c
        cross join unnest(c.asset_ids) as u (asset_id)
        join headgate.process_executions as e using (execution_id)
        join headgate.process_steps as p on p.execution_id = c.execution_id and p.step = c.step and p.round = c.round
        join headgate.asset_processing_details as d
            on d.execution_id = c.execution_id
            and d.operation_id = c.operation_id
            and d.asset_id = u.asset_id
            and d.step = c.step
            and d.ended_at >= e.started_at
        where c.execution_id = p_execution_id
            and c.step = p_step
        order by d.operation_id, d.asset_id, d.round desc
    ) as l;
$func$;
