-- All assets as classes. Work in flight counts as done, because its units are reserved. Assets are compared by hashes
-- of their needs, which is many times faster than comparing the needs; one asset represents each class.

create or replace function headgate._forecast_start(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    out classes headgate.forecast_class[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set jit = off
as $func$
declare
    v_asset_ids constant bigint[] := headgate._selected_assets(p_pipeline_id, p_options);
    v_needs constant headgate.plan_need[] := array(
        select n from headgate._needs(p_pipeline_id, p_options) as n
    );
    v_is_coarse constant boolean := headgate._are_many_due_times(v_needs);
begin
    perform set_config('enable_nestloop', 'off', true);

    with need as materialized (
        select n.*, o.universe
        from unnest(v_needs) as n
        join headgate.operations as o using (operation_id)
    ),
    covered as materialized (
        select g.universe, g.group_key, n.operation_id
        from (
            select a.universe, a.group_key
            from headgate.assets as a
            where a.universe in (select n.universe from need as n)
            group by a.universe, a.group_key
        ) as g
        join need as n using (universe)
        where headgate._step_of(p_pipeline_id, p_options, n.operation_id, g.group_key) is not null
    ),
    alike as (
        select
            a.group_key, a.calendar, a.weight, a.asset_id, bool_or(n.due_rule = 'function') as is_itself,
            bit_xor(hash_record_extended(headgate._forecast_need(
                s, n.due_rule, n.call_operation_id, n.batch_size, p_options, p_at, v_is_coarse
            ), 0)) as needs_hash
        from headgate.asset_processing_state as s
        join need as n using (operation_id)
        join headgate.assets as a using (asset_id)
        join covered as c on c.operation_id = s.operation_id and c.universe = a.universe and c.group_key = a.group_key
        where a.is_active
            and (v_asset_ids is null or a.asset_id in (select u.asset_id from unnest(v_asset_ids) as u (asset_id)))
        group by a.asset_id
    ),
    class as materialized (
        select
            a.group_key, a.calendar, a.weight, case when a.is_itself then a.asset_id end as asset_id,
            count(*)::integer as assets, min(a.asset_id) as example_id
        from alike as a
        group by a.group_key, a.calendar, a.weight, 4, a.needs_hash
    )
    select coalesce(array_agg(row(
        n.nth, n.group_key, n.calendar, n.weight, n.asset_id, n.assets, n.needs
    )::headgate.forecast_class), '{}')
    into classes
    from (
        select row_number() over () as nth, c.*, e.needs
        from class as c
        join (
            select
                s.asset_id,
                array_agg(
                    headgate._forecast_need(
                        s, n.due_rule, n.call_operation_id, n.batch_size, p_options, p_at, v_is_coarse
                    )
                    order by s.operation_id
                ) as needs
            from class as c
            cross join need as n
            cross join lateral (  -- from its key: classes are few
                select s.*
                from headgate.asset_processing_state as s
                where s.operation_id = n.operation_id
                    and s.asset_id = c.example_id
                offset 0
            ) as s
            join covered as v
                on v.operation_id = n.operation_id
                and v.universe = n.universe
                and v.group_key = c.group_key
            group by s.asset_id
        ) as e on e.asset_id = c.example_id
    ) as n;

    classes := headgate._forecast_done(p_options, v_needs, p_at, classes, '[]');
end;
$func$;

-- A need as a forecast carries it. With thousands of due times only the hour is kept. Assets called for one by one stay
-- so: missing from infinity. Inlined (no pinned path).
create or replace function headgate._forecast_need(
    p_state headgate.asset_processing_state,
    p_due_rule text,
    p_call_operation_id bigint,
    p_batch_size integer,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_is_coarse boolean
)
returns headgate.forecast_need
language sql
stable
as $func$
    select row(
        p_state.operation_id,
        p_state.priority,
        case
            when p_options.is_daily and p_due_rule = 'session' and p_state.next_due_at > p_at
                and p_state.watermark < date_trunc('day', p_at, 'UTC')
                then date_trunc('day', p_at, 'UTC')
            when p_is_coarse
                then date_trunc('hour', p_state.next_due_at + interval '59 minutes 59.999999 seconds')
            else p_state.next_due_at
        end,
        case
            when p_call_operation_id is null then null
            when p_state.bulk_misses > 1 and coalesce(p_state.alone_until > p_at, true) then 'infinity'
            when p_batch_size is null then headgate._missing_from(p_state, p_at)
            when headgate._missing_from(p_state, p_at) is not null then '-infinity'
        end,
        p_state.succeeded_at is null,
        p_state.chunk_id is not null,
        headgate._is_left_out(p_state)
    )::headgate.forecast_need;
$func$;

-- Whether there are thousands of due times, by skipping along the index to a limit.
create or replace function headgate._are_many_due_times(p_needs headgate.plan_need[])
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    with recursive hop as (
        select d.operation_id, d.priority, d.next_due_at
        from unnest(p_needs) as n
        join headgate.operations as o using (operation_id)
        cross join generate_series(o.priority * 10, o.priority * 10 + 9) as p (priority)
        cross join lateral (
            select s.operation_id, s.priority, s.next_due_at
            from headgate.asset_processing_state as s
            where s.operation_id = n.operation_id
                and s.priority = p.priority
                and s.next_due_at is not null
            order by s.next_due_at
            limit 1
        ) as d
        union all
        select h.operation_id, h.priority, d.next_due_at
        from hop as h
        cross join lateral (
            select s.next_due_at
            from headgate.asset_processing_state as s
            where s.operation_id = h.operation_id
                and s.priority = h.priority
                and s.next_due_at > h.next_due_at
            order by s.next_due_at
            limit 1
        ) as d
    )
    select count(*) > 3000 from (select from hop limit 3001) as h;
$func$;
