-- Write a plan in a few set-based statements, for all steps or for one (and then for a new round of it). Planners of
-- one provider take turns through its lock; the quota window is locked last. A step that waits for another execution is
-- not planned until it runs.

create or replace function headgate._write_plan(
    p_execution headgate.process_executions,
    p_step text,
    p_is_round boolean default false
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_waiting text[] := '{}';
    v_planned integer;
begin
    perform headgate._enter_planning(p_execution, p_step, v_now);
    if not p_is_round then  -- read again, now that no other session can end it
        perform headgate._check_open(e)
        from headgate.process_executions as e
        where e.execution_id = p_execution.execution_id;
        v_waiting := headgate._waiting_steps(p_execution.execution_id, p_step);
    end if;
    for v_try in 1 .. 5 loop
        begin
            v_planned := headgate._write_chunks(p_execution, p_step, p_is_round, v_waiting, v_now);
            perform headgate._mark_planned(p_execution, p_step, p_is_round, v_waiting, v_now);
            perform headgate._reserve_planned(p_execution.execution_id, v_now);
            return v_planned;
        exception
            when serialization_failure or deadlock_detected then
                -- Runners took units between reading the plan and locking the window, or woke pairs it was about to
                -- hold: plan again with what is left.
                if v_try = 5 then
                    raise;
                end if;
        end;
    end loop;
end;
$func$;

-- The planned steps: each job counts once, by its latest round.
create or replace function headgate._mark_planned(
    p_execution headgate.process_executions,
    p_step text,
    p_is_round boolean,
    p_waiting text[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_left_out constant text[] := headgate._left_out_steps(p_execution, p_step);
    v_steps text[];
begin
    perform headgate._join_execution(p_execution.execution_id);
    with marked as (
        update headgate.process_steps as s
        set planned_at = coalesce(s.planned_at, p_now),
            is_left_out = not p_is_round and s.planned = 0 and coalesce(s.step = any (v_left_out), false)
        where s.execution_id = p_execution.execution_id
            and s.kind = 'fan_out'
            and (p_is_round or s.planned_at is null and s.status in ('pending', 'running'))
            and (p_step is null or s.step = p_step)
            and s.step <> all (p_waiting)
        returning s.step, s.round
    )
    select array_agg(m.step) into v_steps from marked as m where m.round > 1;
    if v_steps is null then
        return;  -- nothing was planned for them before
    end if;
    perform headgate._hold_step(p_execution.execution_id, u.step) from unnest(v_steps) as u (step);
    update headgate.process_steps as s
    set planned = s.planned - n.jobs,
        succeeded = s.succeeded - n.succeeded,
        degraded = s.degraded - n.degraded,
        failed = s.failed - n.failed,
        deferred = s.deferred - n.deferred,
        deferred_by_fault = s.deferred_by_fault - n.by_fault,
        deferred_by_internal_fault = s.deferred_by_internal_fault - n.by_internal_fault,
        skipped = s.skipped - n.skipped
    from headgate._planned_before(p_execution, v_steps) as n
    where s.execution_id = p_execution.execution_id
        and s.step = n.step;
end;
$func$;

-- How the jobs planned for a new round of these steps were counted before.
create or replace function headgate._planned_before(
    p_execution headgate.process_executions,
    p_steps text[]
)
returns table (
    step text, jobs integer, failed integer, deferred integer, by_fault integer, by_internal_fault integer,
    skipped integer, succeeded integer, degraded integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        l.step,
        count(*),
        count(*) filter (where l.status = 'failed'),
        count(*) filter (where l.status = 'deferred'),
        count(*) filter (where l.status = 'deferred' and headgate._is_fault(l.reason)),
        count(*) filter (where l.status = 'deferred' and headgate._is_internal_fault(l.reason)),
        count(*) filter (where l.status in ('cancelled', 'skipped')),
        count(*) filter (where l.status = 'success'),
        count(*) filter (where l.status = 'success' and l.verdict = 'degraded')
    from (
        select distinct on (s.step, d.operation_id, d.asset_id) s.step, d.status, d.reason, d.verdict
        from headgate.process_steps as s
        join headgate.chunks as c on c.execution_id = s.execution_id and c.step = s.step and c.round = s.round
        cross join unnest(c.asset_ids) as u (asset_id)
        join headgate.asset_processing_details as d
            on d.execution_id = c.execution_id
            and d.operation_id = c.operation_id
            and d.asset_id = u.asset_id
            and d.step = c.step
            and d.ended_at >= p_execution.started_at
        where s.execution_id = p_execution.execution_id
            and s.step = any (p_steps)
        order by s.step, d.operation_id, d.asset_id, d.round desc
    ) as l
    group by l.step;
$func$;

-- Reserve units for the execution's chunks without units; one window update per provider.
create or replace function headgate._reserve_planned(
    p_execution_id bigint,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_total record;
begin
    for v_total in
        with marked as (
            update headgate.chunks as c
            set window_opened_at = w.opened_at
            from headgate.providers as p
            cross join lateral headgate._window_at(p, p_now) as w
            where c.execution_id = p_execution_id
                and c.state = 'planned'
                and c.window_opened_at is null
                and c.units > 0
                and p.provider_id = c.provider_id
                and p.quota is not null
            returning c.provider_id, c.window_opened_at, c.units
        )
        select m.provider_id, m.window_opened_at, sum(m.units)::integer as units
        from marked as m
        group by m.provider_id, m.window_opened_at
        order by m.provider_id
    loop
        if not headgate._move_units(v_total.provider_id, v_total.window_opened_at, v_total.units, 0) then
            raise exception using
                errcode = '40001',
                message = 'the quota changed during planning',
                hint = 'call it again: nothing was written';
        end if;
    end loop;
end;
$func$;
