-- Chunks, holds and deferrals from one reading of the plan.

create or replace function headgate._write_chunks(
    p_execution headgate.process_executions,
    p_step text,
    p_is_round boolean,
    p_waiting text[],
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set enable_memoize = off
as $func$
declare
    v_chunk_ids bigint[];
    v_planned integer;
begin
    with plan as materialized (
        select p.*, cardinality(p.asset_ids) as jobs
        from headgate._plan_slices(
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
            case when p.call_no is null then p.chunk_size else sum(p.jobs)::integer end as chunk_size,
            case when p.call_no is not null then p.call_operation_id else p.operation_id end as call_operation_id,
            case when p.call_no is not null then p.sessions end as sessions,
            p.call_no is not null as is_bulk,
            max(p.first_units) as units,
            sum(p.jobs) as jobs
        from plan as p
        where p.is_granted
        group by p.step, p.operation_id, p.group_key, p.call_no, p.chunk_size, 7, 8
    ),
    part as materialized (
        -- Each line's slices, with how many of its jobs are in slices before.
        select
            l.line, l.chunk_size, p.asset_ids, p.rank, p.ranks_each, p.jobs, p.jobs = l.jobs as is_whole,
            sum(p.jobs) over (partition by l.line order by p.rank, p."position")::integer - p.jobs as before
        from plan as p
        join line as l
            on l.step = p.step and l.operation_id = p.operation_id and l.group_key = p.group_key
            and coalesce(l.call_no, 0) = coalesce(p.call_no, 0)
        where p.is_granted
    ),
    lined_up as (
        select p.line, p.asset_ids from part as p where p.is_whole
        union all
        select p.line, array_agg(u.asset_id order by p.before, u.nth)
        from part as p
        cross join unnest(p.asset_ids) with ordinality as u (asset_id, nth)
        where not p.is_whole
        group by p.line
    ),
    start as materialized (
        -- Where chunks start in their line. A chunk has the rank of its first job.
        select p.line, n.first, p.rank + (n.first - p.before) * p.ranks_each as rank
        from part as p
        cross join generate_series(
            (p.before + p.chunk_size - 1) / p.chunk_size * p.chunk_size, p.before + p.jobs - 1, p.chunk_size
        ) as n (first)
    ),
    cut as (
        select
            l.step, l.operation_id, l.group_key, l.call_operation_id, l.sessions, l.is_bulk, l.units, n.rank,
            u.asset_ids[n.first + 1 : n.first + l.chunk_size] as asset_ids
        from start as n
        join line as l using (line)
        join lined_up as u using (line)
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
        returning chunk_id, step, cardinality(asset_ids) as jobs
    ),
    put_off as (
        insert into headgate.planner_deferrals as d (
            execution_id, operation_id, group_key, reason, asset_ids, units, deferred_at, evidence
        )
        select
            p_execution.execution_id, p.operation_id, p.group_key, p.reason,
            array_agg(u.asset_id order by p.rank, p."position", u.nth),
            sum(case when u.nth = 1 then p.first_units else p.units end), p_now,
            jsonb_strip_nulls(jsonb_build_object(
                'units_left', min(p.units_left), 'units_ranked_before', min(p.units_before), 'earliest', min(p.run_at)
            ))
        from plan as p
        cross join unnest(p.asset_ids) with ordinality as u (asset_id, nth)
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
        from (select n.step, sum(n.jobs)::integer as jobs from new_chunks as n group by n.step) as c
        where s.execution_id = p_execution.execution_id
            and s.step = c.step
    )
    select coalesce(array_agg(c.chunk_id), '{}'), coalesce(sum(c.jobs), 0)::integer
    into v_chunk_ids, v_planned
    from new_chunks as c;
    perform headgate._hold_pairs(v_chunk_ids);
    return v_planned;
end;
$func$;

-- The pairs of new chunks, locked in order. Where the assets of no two chunks of an operation lie across each other,
-- that is chunk by chunk, each of which reads its stretch of the index once.
create or replace function headgate._hold_pairs(p_chunk_ids bigint[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_memoize = off
as $func$
declare
    v_in_order bigint[];
    v_are_apart boolean;
begin
    select array_agg(c.chunk_id order by c.operation_id, c.first_id), bool_and(c.first_id > c.last_before)
    into v_in_order, v_are_apart
    from (
        select
            c.chunk_id, c.operation_id, a.first_id,
            coalesce(lag(a.last_id) over (partition by c.operation_id order by a.first_id), 0) as last_before
        from headgate.chunks as c
        cross join lateral (
            select min(u.asset_id) as first_id, max(u.asset_id) as last_id from unnest(c.asset_ids) as u (asset_id)
        ) as a
        where c.chunk_id = any (p_chunk_ids)
    ) as c;
    if v_are_apart then
        update headgate.asset_processing_state as s
        set chunk_id = c.chunk_id
        from unnest(v_in_order) as o (chunk_id)
        join headgate.chunks as c using (chunk_id)
        where s.operation_id = c.operation_id
            and s.asset_id = any (c.asset_ids);
        return;
    end if;

    update headgate.asset_processing_state as s
    set chunk_id = c.chunk_id
    from (
        select c.chunk_id, c.operation_id, u.asset_id
        from headgate.chunks as c
        cross join unnest(c.asset_ids) as u (asset_id)
        where c.chunk_id = any (p_chunk_ids)
        order by c.operation_id, u.asset_id
    ) as c
    where s.operation_id = c.operation_id
        and s.asset_id = c.asset_id;
end;
$func$;
