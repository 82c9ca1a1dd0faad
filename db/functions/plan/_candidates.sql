-- What is due. Reads one index per operation and priority, so its cost depends on what is due, not on what exists.

-- For a run of a past date: everything not done for that date, whatever is due today, for operations whose requests
-- name the date.
create or replace function headgate._undone_pairs(
    p_operation_ids bigint[],
    p_execution_id bigint,
    p_at timestamptz
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, missing_from date
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.priority, p_at, null::date
    from headgate.asset_processing_state as s
    where s.operation_id = any (p_operation_ids)
        and s.chunk_id is null
        and not headgate._is_left_out(s)
        and not exists (
            select
            from headgate.asset_processing_details as d
            join headgate.process_executions as e using (execution_id)
            join headgate.process_executions as this
                on this.pipeline_id = e.pipeline_id
                and this.logical_date = e.logical_date
            where d.asset_id = s.asset_id
                and d.operation_id = s.operation_id
                and d.status in ('success', 'skipped')
                and e.is_backfill
                and this.execution_id = p_execution_id
        );
$func$;

-- Due pairs of a pipeline with their step and ranking data, in sets of alike assets. Waiting is measured in whole
-- minutes, so that pairs that became due together are equal; where data is missing from only matters if a call of
-- p_needs may bring it. A round uses the given pairs instead, a run of a past date what was not done for it, and a
-- further wave of a step only what its run has not done: nothing is done twice there.
create or replace function headgate._candidates(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_step text default null,
    p_is_round boolean default false,
    p_needs headgate.plan_need[] default '{}'
)
returns table (
    operation_id bigint, asset_ids bigint[], step text, group_key text, calendar text, priority smallint,
    due_since timestamptz, weight double precision, missing_from date, oldest_due_at timestamptz
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = auto  -- what the body sets ends with it only if it is also set here
set enable_nestloop = on
set enable_hashjoin = on
set enable_mergejoin = on
set enable_bitmapscan = on
set enable_memoize = on
set enable_sort = on
set jit = off
as $func$
declare
    v_past_ids constant bigint[] := array(
        select o.operation_id
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as n
        join headgate.operations as o using (operation_id)
        where p_options.is_backfill
            and o.due_rule <> 'run'  -- due whatever was done for the date
            and headgate._is_dated(o)
    );
    v_operation_ids constant bigint[] := array(
        select o.operation_id
        from headgate._planned_operations(p_pipeline_id, p_options, p_step) as o
        where o.operation_id <> all (v_past_ids)
    );
    v_asset_ids constant bigint[] := headgate._selected_assets(p_pipeline_id, p_options);
    v_began_at constant timestamptz := (  -- of a run whose step has been planned before
        select e.started_at
        from headgate.process_steps as s
        join headgate.process_executions as e using (execution_id)
        where s.execution_id = p_options.execution_id
            and s.step = p_step
            and s.wave > 1
    );
    v_bulk_ids constant bigint[] := array(
        select n.operation_id
        from unnest(p_needs) as n
        where n.call_operation_id is not null
            and n.batch_size is null
    );
    v_batch_ids constant bigint[] := array(  -- for batch calls it makes no difference how much is missing
        select n.operation_id from unnest(p_needs) as n where n.batch_size is not null
    );
    v_looks_back constant boolean := v_past_ids <> '{}' or v_began_at is not null or p_options.is_daily;
    v_plans constant text := case when v_looks_back then 'custom' else 'generic' end;
begin
    if p_is_round then
        return query
        select
            f.operation_id, array_agg(f.asset_id), p_step, f.group_key, f.calendar, f.priority,
            headgate._minute(f.due_since), f.weight, null::date, min(f.due_since)
        from headgate._failed_pairs(p_options.execution_id, p_step) as f
        group by f.operation_id, f.group_key, f.calendar, f.priority, headgate._minute(f.due_since), f.weight;
        return;
    end if;

    -- What is due is read from its index, and its assets one by one from theirs, however many there are: that plan is
    -- good for few and for many, and kept. What was done before is joined as a whole.
    perform
        set_config('plan_cache_mode', format('force_%s_plan', v_plans), true),
        set_config('enable_nestloop', case when v_looks_back then 'off' else 'on' end, true),
        set_config(u.name, case when v_looks_back then 'on' else 'off' end, true)
    from unnest(
        array['enable_hashjoin', 'enable_mergejoin', 'enable_bitmapscan', 'enable_memoize', 'enable_sort']
    ) as u (name);
    return query
    with alike as materialized (
        select
            d.operation_id, a.universe, a.group_key, a.calendar, d.priority, headgate._minute(d.due_since) as due_since,
            a.weight,
            case
                when d.operation_id = any (v_bulk_ids) then d.missing_from
                when d.operation_id = any (v_batch_ids) and d.missing_from is not null then '-infinity'
            end as missing_from,
            array_agg(d.asset_id) as asset_ids,
            min(d.due_since) as oldest_due_at
        from (
            select * from headgate._due_pairs(v_operation_ids, p_at)
            union all
            select * from headgate._due_daily(v_operation_ids, p_at) where p_options.is_daily
            union all
            select u.*
            from headgate._undone_pairs(v_past_ids, p_options.execution_id, p_at) as u
            where v_past_ids <> '{}'
        ) as d
        join headgate.assets as a using (asset_id)
        where a.is_active
            and (
                v_began_at is null
                or not exists (
                    select
                    from headgate.asset_processing_details as t
                    where t.asset_id = d.asset_id
                        and t.operation_id = d.operation_id
                        and t.execution_id = p_options.execution_id
                        and t.ended_at >= v_began_at
                )
            )
            and (v_asset_ids is null or d.asset_id in (select u.asset_id from unnest(v_asset_ids) as u (asset_id)))
        group by 1, 2, 3, 4, 5, 6, 7, 8
    ),
    step_of as materialized (
        select
            k.operation_id, k.universe, k.group_key,
            headgate._step_of(p_pipeline_id, p_options, k.operation_id, k.group_key, p_step) as step
        from (select distinct l.operation_id, l.universe, l.group_key from alike as l) as k
        join headgate.operations as o using (operation_id, universe)
    )
    select
        l.operation_id, l.asset_ids, s.step, l.group_key, l.calendar, l.priority, l.due_since, l.weight, l.missing_from,
        l.oldest_due_at
    from alike as l
    join step_of as s using (operation_id, universe, group_key)
    where s.step is not null;
end;
$func$;

-- Inlined (no pinned path), because it runs once per pair.
create or replace function headgate._minute(p_at timestamptz)
returns timestamptz
language sql
immutable
as $func$
    select date_bin('1 minute', p_at, 'epoch');
$func$;

-- Pairs that would also be due if every day were a session of every calendar.
create or replace function headgate._due_daily(
    p_operation_ids bigint[],
    p_at timestamptz
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, missing_from date
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.operation_id, s.asset_id, s.priority, date_trunc('day', p_at, 'UTC'), headgate._missing_from(s, p_at)
    from headgate.asset_processing_state as s
    join headgate.operations as o using (operation_id)
    where s.operation_id = any (p_operation_ids)
        and o.due_rule = 'session'
        and s.next_due_at > p_at
        and s.watermark < date_trunc('day', p_at, 'UTC')
        and s.chunk_id is null;
$func$;
