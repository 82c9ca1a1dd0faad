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

-- Chunks, holds and deferrals from one reading of the plan.
create or replace function headgate._write_chunks(
    p_execution headgate.process_executions,
    p_step text,
    p_is_round boolean,
    p_waiting text[],
    p_now timestamptz
)
returns integer
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_memoize = off
as $func$
    with plan as materialized (
        select p.*
        from headgate._plan(
            p_execution.pipeline_id, headgate._plan_options(p_execution), p_now, null, p_step, p_is_round
        ) as p
        join headgate.process_steps as s
            on s.execution_id = p_execution.execution_id and s.step = p.step
        where p_is_round
            or s.planned_at is null and s.status in ('pending', 'running') and s.step <> all (p_waiting)
    ),
    line as materialized (
        -- Jobs that may share a chunk. Numbered, because numbers sort many times faster than names.
        select
            p.step, p.operation_id, p.group_key, p.call_no, row_number() over () as line,
            case when p.call_no is null then p.chunk_size else count(*)::integer end as chunk_size,
            case when p.call_no is not null then p.call_operation_id else p.operation_id end as call_operation_id,
            case when p.call_no is not null then p.sessions end as sessions,
            p.call_no is not null as is_bulk,
            max(p.units) as units
        from plan as p
        where p.is_granted
        group by p.step, p.operation_id, p.group_key, p.call_no, p.chunk_size, 7, 8
    ),
    lined_up as (
        select
            l.line,
            array_agg(p.asset_id order by p.rank, p."position") as asset_ids,
            array_agg(p.rank order by p.rank, p."position") as ranks
        from plan as p
        join line as l
            on l.step = p.step and l.operation_id = p.operation_id and l.group_key = p.group_key
            and coalesce(l.call_no, 0) = coalesce(p.call_no, 0)
        where p.is_granted
        group by l.line
    ),
    cut as (
        select
            l.step, l.operation_id, l.group_key, l.call_operation_id, l.sessions, l.is_bulk, l.units,
            u.asset_ids[n.first : n.first + l.chunk_size - 1] as asset_ids,
            u.ranks[n.first] as rank
        from lined_up as u
        join line as l using (line)
        cross join generate_series(1, cardinality(u.asset_ids), l.chunk_size) as n (first)
    ),
    new_chunks as (
        insert into headgate.chunks (
            execution_id, step, round, operation_id, call_operation_id, sessions, provider_id, group_key, priority,
            asset_ids, calls, units, queue, planned_at
        )
        select
            p_execution.execution_id, c.step, s.round, c.operation_id, c.call_operation_id, c.sessions, k.provider_id,
            c.group_key, o.priority, c.asset_ids,
            case when not k.is_call then 0 else coalesce(cardinality(c.sessions), cardinality(c.asset_ids)) end,
            case when c.is_bulk then c.units else cardinality(c.asset_ids) * o.units end,
            headgate._queue(r.name, o.priority),
            p_now
        from cut as c
        join headgate.operations as o using (operation_id)
        join headgate.operations as k on k.operation_id = c.call_operation_id
        join headgate.providers as r on r.provider_id = k.provider_id
        join headgate.process_steps as s on s.execution_id = p_execution.execution_id and s.step = c.step
        order by c.rank, c.operation_id
        returning chunk_id, step, operation_id, asset_ids
    ),
    held as (
        update headgate.asset_processing_state as s
        set chunk_id = c.chunk_id
        from (
            select c.chunk_id, c.operation_id, u.asset_id
            from new_chunks as c
            cross join unnest(c.asset_ids) as u (asset_id)
            order by c.operation_id, u.asset_id
        ) as c
        where s.operation_id = c.operation_id
            and s.asset_id = c.asset_id
    ),
    put_off as (
        insert into headgate.planner_deferrals as d (
            execution_id, operation_id, group_key, reason, asset_ids, units, deferred_at, evidence
        )
        select
            p_execution.execution_id, p.operation_id, p.group_key, p.reason,
            array_agg(p.asset_id order by p.rank, p."position"), sum(p.units), p_now,
            jsonb_strip_nulls(jsonb_build_object(
                'units_left', min(p.units_left), 'units_ranked_before', min(p.units_before), 'earliest', min(p.run_at)
            ))
        from plan as p
        where not p.is_granted
        group by p.operation_id, p.group_key, p.reason
        on conflict (execution_id, operation_id, group_key, reason) do update
        set (asset_ids, units) = (
                select array_agg(u.asset_id), excluded.units / cardinality(excluded.asset_ids) * count(*)
                from (select distinct unnest(d.asset_ids || excluded.asset_ids) as asset_id) as u
            ),
            deferred_at = excluded.deferred_at,
            evidence = excluded.evidence
    ),
    counted as (
        update headgate.process_steps as s
        set planned = s.planned + c.jobs
        from (select n.step, sum(cardinality(n.asset_ids))::integer as jobs from new_chunks as n group by n.step) as c
        where s.execution_id = p_execution.execution_id
            and s.step = c.step
    )
    select coalesce(sum(cardinality(c.asset_ids)), 0)::integer from new_chunks as c;
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
