-- The plan: the single query behind check_quota, enqueue_step, explain_plan and explain_summary. Similar assets form
-- classes, headgate._decide decides on the classes, and the result is expanded to assets again. Pairs left out after
-- failures are deferred without a rank. Changes nothing.

create or replace function headgate._plan(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_quota integer default null,
    p_step text default null,
    p_is_round boolean default false
)
returns table (
    rank bigint,
    operation_id bigint,
    asset_id bigint,
    step text,
    group_key text,
    provider_id bigint,
    chunk_size integer,
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
rows 10000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = auto
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
    -- Planning each statement again pays off if much is due; if little is due, it takes most of the time.
    perform set_config('plan_cache_mode', 'force_custom_plan', true)
    where p_is_round
        or p_options.is_backfill
        or p_options.is_daily
        or (
            select count(*) > 1000
            from headgate._due_pairs(array(
                select o.operation_id from headgate._planned_operations(p_pipeline_id, p_options, p_step) as o
            ), p_at, 1001)
        );
    return query
    with need as materialized (
        select n.* from unnest(v_needs) as n
    ),
    pair as materialized (
        -- Waiting is measured in whole minutes, so that pairs that became due together are equal.
        select
            c.operation_id, c.asset_id, c.step, c.group_key, c.calendar, c.priority,
            date_trunc('minute', c.due_since) as due_since, c.weight, n.bundle, n.is_alone, n.is_tied,
            case  -- for batch calls it makes no difference how much is missing
                when n.batch_size is null and n.call_operation_id is not null then c.missing_from
                when n.batch_size is not null and c.missing_from is not null then '-infinity'
            end as missing_from
        from headgate._candidates(p_pipeline_id, p_options, p_at, p_step, p_is_round) as c
        join need as n using (operation_id)
    ),
    bundled as (
        -- Granted together: an asset's due operations of one bundle.
        select
            p.asset_id, p.bundle, array_agg(p.operation_id order by p.operation_id) as operation_ids,
            min(p.group_key) as group_key, min(p.calendar) as calendar, min(p.priority) as priority,
            min(p.due_since) as due_since, max(p.weight) as weight, min(p.missing_from) as missing_from
        from pair as p
        where not p.is_alone
        group by p.asset_id, p.bundle, case when p.is_tied then p.due_since end
    ),
    class as materialized (
        select row_number() over () as class_no, c.*
        from (
            select
                array[p.operation_id] as operation_ids, p.group_key, p.calendar, p.priority, p.due_since, p.weight,
                p.missing_from, array_agg(p.asset_id) as asset_ids
            from pair as p
            where p.is_alone
            group by p.operation_id, p.group_key, p.calendar, p.priority, p.due_since, p.weight, p.missing_from
            union all
            select
                b.operation_ids, b.group_key, b.calendar, b.priority, b.due_since, b.weight, b.missing_from,
                array_agg(b.asset_id)
            from bundled as b
            group by
                b.operation_ids, b.group_key, b.calendar, b.priority, b.due_since, b.weight, b.missing_from, b.bundle
        ) as c
    ),
    slice as materialized (
        select c.operation_ids, c.asset_ids, c.group_key, c.due_since, d.*
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
        join class as c using (class_no)
    ),
    step_of as materialized (
        select p.operation_id, p.group_key, min(p.step) as step from pair as p group by p.operation_id, p.group_key
    )
    select
        s.rank + case when s.call_no is null then a.nth - s.first_nth else 0 end,
        n.operation_id,
        a.asset_id,
        t.step,
        s.group_key,
        case when c.is_in_call then n.call_provider_id else n.provider_id end,
        n.chunk_size,
        case
            when not c.is_in_call then n.units
            when s.position_in_call + a.nth - s.first_nth = 0 then s.call_units::integer
            else 0
        end,
        s.due_since,
        s.is_granted,
        s.reason,
        s.units_before + case when s.call_no is null then (a.nth - s.first_nth) * s.units_each else 0 end,
        s.units_each,
        s.units_left,
        s.run_at,
        case when c.is_in_call then s.call_no end,
        s.position_in_call + a.nth - s.first_nth + 1,
        case when n.call_operation_id = s.call_operation_id then s.call_operation_id end,
        s.sessions,
        s.cost,
        s.other_cost
    from slice as s
    cross join lateral (
        select u.asset_id, u.nth
        from unnest(array(select i.asset_id from unnest(s.asset_ids) as i (asset_id) order by i.asset_id))
            with ordinality as u (asset_id, nth)
        where u.nth between s.first_nth and s.last_nth
    ) as a
    cross join unnest(s.operation_ids) as o (operation_id)
    join need as n using (operation_id)
    cross join lateral (select s.served_operation_id is not distinct from n.operation_id as is_in_call) as c
    join step_of as t using (operation_id, group_key)
    union all
    select
        null, l.operation_id, l.asset_id, l.step, l.group_key, n.provider_id, n.chunk_size, n.units, l.failed_at,
        false, 'failures', null, null, null, null, null, null, null, null, null, null
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
