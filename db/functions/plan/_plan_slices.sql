-- The plan: the single query behind check_quota, enqueue_step, explain_plan and explain_summary. Similar assets form
-- classes, and headgate._decide cuts them into slices: alike assets in a row, with the rank and units of the first, and
-- the step to the next. Pairs left out after failures are deferred without a rank. Changes nothing.

create or replace function headgate._plan_slices(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_quota integer default null,
    p_step text default null,
    p_is_round boolean default false
)
returns table (
    rank bigint,
    ranks_each integer,
    operation_id bigint,
    asset_ids bigint[],
    step text,
    group_key text,
    provider_id bigint,
    chunk_size integer,
    first_units integer,
    units integer,
    due_since timestamptz,
    is_granted boolean,
    reason text,
    units_before bigint,
    units_together bigint,
    units_left bigint,
    run_at timestamptz,
    call_no integer,
    "position" bigint,
    call_operation_id bigint,
    sessions date[],
    cost bigint,
    other_cost bigint
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set enable_hashjoin = on  -- explain may have turned it off for its own joins
set enable_mergejoin = on
set jit = off
as $func$
declare
    v_needs constant headgate.plan_need[] := array(
        select n from headgate._needs(p_pipeline_id, p_options, p_step, p_at) as n
    );
begin
    return query
    with need as materialized (
        select n.* from unnest(v_needs) as n
    ),
    candidate as materialized (
        select c.*, n.bundle, n.is_alone, n.is_tied
        from headgate._candidates(p_pipeline_id, p_options, p_at, p_step, p_is_round, v_needs) as c
        join need as n using (operation_id)
    ),
    bundled as (
        -- Granted together: an asset's due operations of one bundle.
        select
            u.asset_id, c.bundle, array_agg(c.operation_id order by c.operation_id) as operation_ids,
            min(c.group_key) as group_key, min(c.calendar) as calendar, min(c.priority) as priority,
            min(c.due_since) as due_since, max(c.weight) as weight, min(c.missing_from) as missing_from
        from candidate as c
        cross join unnest(c.asset_ids) as u (asset_id)
        where not c.is_alone
        group by u.asset_id, c.bundle, case when c.is_tied then c.due_since end
    ),
    class as materialized (
        select row_number() over () as class_no, c.*
        from (
            select
                array[c.operation_id] as operation_ids, c.group_key, c.calendar, c.priority, c.due_since, c.weight,
                c.missing_from, c.asset_ids
            from candidate as c
            where c.is_alone
            union all
            select
                b.operation_ids, b.group_key, b.calendar, b.priority, b.due_since, b.weight, b.missing_from,
                array_agg(b.asset_id)
            from bundled as b
            group by
                b.operation_ids, b.group_key, b.calendar, b.priority, b.due_since, b.weight, b.missing_from, b.bundle
        ) as c
    ),
    in_order as materialized (
        select c.*, array(select u.asset_id from unnest(c.asset_ids) as u (asset_id) order by u.asset_id) as in_order
        from class as c
    ),
    slice as materialized (
        select c.operation_ids, c.in_order, c.group_key, c.due_since, d.*
        from headgate._decide(
            p_pipeline_id, p_options, p_at, p_quota, v_needs,
            (
                select array_agg(row(
                    c.class_no, c.operation_ids, c.group_key, c.calendar, c.priority, c.due_since, c.weight,
                    cardinality(c.asset_ids), c.missing_from
                )::headgate.plan_class)
                from class as c
            ) || headgate._upcoming(p_pipeline_id, p_options, v_needs, p_at, p_step)
        ) as d
        join in_order as c using (class_no)
    ),
    step_of as materialized (
        select c.operation_id, c.group_key, min(c.step) as step
        from candidate as c
        group by c.operation_id, c.group_key
    )
    select
        s.rank,
        case when s.call_no is null then 1 else 0 end,
        n.operation_id,
        s.in_order[s.first_nth::integer : s.last_nth::integer],
        t.step,
        s.group_key,
        case when c.is_in_call then n.call_provider_id else n.provider_id end,
        n.chunk_size,
        case
            when not c.is_in_call then n.units
            when s.position_in_call = 0 then s.call_units::integer
            else 0
        end,
        case when c.is_in_call then 0 else n.units end,
        s.due_since,
        s.is_granted,
        s.reason,
        s.units_before,
        s.units_each,
        s.units_left,
        s.run_at,
        case when c.is_in_call then s.call_no end,
        s.position_in_call,
        case when n.call_operation_id = s.call_operation_id then s.call_operation_id end,
        s.sessions,
        s.cost,
        s.other_cost
    from slice as s
    cross join unnest(s.operation_ids) as o (operation_id)
    join need as n using (operation_id)
    cross join lateral (select s.served_operation_id is not distinct from n.operation_id as is_in_call) as c
    join step_of as t using (operation_id, group_key)
    union all
    select
        null, null, l.operation_id, array[l.asset_id], l.step, l.group_key, n.provider_id, n.chunk_size, n.units,
        n.units, l.failed_at, false, 'failures', null, null, null, null, null, null, null, null, null, null
    from headgate._left_out(p_pipeline_id, p_options, p_step) as l
    join need as n using (operation_id)
    where not p_is_round;
end;
$func$;

-- Classes that become due later in the window: units are kept for them only if a backfill is due.
create or replace function headgate._upcoming(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_step text
)
returns headgate.plan_class[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_options.is_daily or not exists (
        select
        from headgate._due_pairs(
            array(select n.operation_id from unnest(p_needs) as n where n.is_backfill), p_at, 1
        )
    ) then
        return '{}';
    end if;

    return coalesce((
        select array_agg(row(
            -u.nth, array[u.operation_id], u.group_key, null, 0, u.due_since, 1, u.jobs, null
        )::headgate.plan_class)
        from (
            select
                row_number() over () as nth, s.operation_id, a.group_key, max(s.next_due_at) as due_since,
                count(*) as jobs
            from unnest(p_needs) as n
            join headgate.providers as p using (provider_id)
            cross join lateral headgate._window_at(p, p_at) as w
            join headgate.asset_processing_state as s
                on s.operation_id = n.operation_id
                and s.priority between 0 and 99
                and s.next_due_at > p_at
                and s.next_due_at < w.closes_at
                and s.chunk_id is null
            join headgate.assets as a using (asset_id)
            where not n.is_backfill
                and n.units > 0
                and a.is_active
            group by s.operation_id, a.group_key
        ) as u
        where headgate._step_of(p_pipeline_id, p_options, u.operation_id, u.group_key, p_step) is not null
    ), '{}');
end;
$func$;
