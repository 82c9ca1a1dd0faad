-- Runs the planner day by day on a clock of its own: each day headgate._decide judges what is due, as in a run, and what it
-- grants is taken to succeed. What is carried from day to day are classes of assets that are alike. Touches nothing.

create or replace function headgate.forecast(
    p_pipeline text,
    p_days integer,
    p_quota integer default null,
    p_params jsonb default '{}'
)
returns table (day integer, units bigint, new bigint, updated bigint, deferred bigint, backlog bigint)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_params constant jsonb := headgate._what_if_params(v_pipeline, p_params);
    v_at timestamptz := headgate.clock();
    v_used jsonb := '{}';
    v_classes headgate.forecast_class[] := headgate._forecast_start(v_pipeline.pipeline_id, v_params, v_at);
    v_day record;
begin
    perform headgate._check_quota_value(p_quota);
    if p_days is null or p_days not between 1 and 3660 then
        perform headgate._raise('HG008', format('this is no number of days: %s', p_days), 'from 1 to 3660');
    end if;

    for v_nth in 1 .. p_days loop
        select d.* into v_day
        from headgate._forecast_day(v_pipeline.pipeline_id, v_params, v_at, p_quota, v_used, v_classes) as d;
        v_classes := v_day.classes;
        day := v_nth;
        units := v_day.units;
        new := v_day.new;
        updated := v_day.updated;
        deferred := v_day.deferred;
        backlog := v_day.backlog;
        return next;

        v_used := headgate._still_used(v_used, v_day.spent, v_at, v_at + interval '24 hours');
        v_at := v_at + interval '24 hours';
    end loop;
end;
$func$;

comment on function headgate.forecast(text, integer, integer, jsonb) is
    'What one run a day, from now on, would do: units, assets loaded for the first time, refreshed and put off, and those that wait at its end.';

-- All assets as classes. What is in flight counts as done: its units are reserved. Assets are told apart by hashes of their needs, which
-- are compared and counted many times faster than the needs; one asset of each class shows them.

create or replace function headgate._forecast_start(
    p_pipeline_id bigint,
    p_params jsonb,
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
    v_asset_ids constant bigint[] := headgate._selected_assets(p_pipeline_id, p_params);
    v_groups text[];
    v_attribute text;
    v_is_coarse constant boolean := headgate._are_many_due_times(p_pipeline_id, p_params);
begin
    select g.items, g.attribute
    into v_groups, v_attribute
    from headgate._selected_groups(p_pipeline_id, p_params) as g
    limit 1;
    perform set_config('enable_nestloop', 'off', true);

    with need as materialized (
        select n.*, o.universe
        from headgate._needs(p_pipeline_id, p_params) as n
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
        where headgate._step_of(p_pipeline_id, n.operation_id, g.group_key) is not null
    ),
    alike as (
        select
            a.group_key, a.calendar, a.weight, a.asset_id, bool_or(n.due_rule = 'function') as is_itself,
            bit_xor(hash_record_extended(headgate._forecast_need(
                s, n.due_rule, n.call_operation_id, n.page_size, p_params, p_at, v_is_coarse
            ), 0)) as needs_hash
        from headgate.asset_processing_state as s
        join need as n using (operation_id)
        join headgate.assets as a using (asset_id)
        join covered as c on c.operation_id = s.operation_id and c.universe = a.universe and c.group_key = a.group_key
        where a.is_active
            and (v_asset_ids is null or a.asset_id = any (v_asset_ids))
            and (
                v_groups is null
                or a.group_key = any (v_groups)
                or a.attributes ->> v_attribute = any (v_groups)
            )
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
                    headgate._forecast_need(s, n.due_rule, n.call_operation_id, n.page_size, p_params, p_at, v_is_coarse)
                    order by s.operation_id
                ) as needs
            from class as c
            join headgate.assets as a on a.asset_id = c.example_id
            join headgate.asset_processing_state as s on s.asset_id = a.asset_id
            join need as n using (operation_id)
            join covered as v on v.operation_id = s.operation_id and v.universe = a.universe and v.group_key = a.group_key
            group by s.asset_id
        ) as e on e.asset_id = c.example_id
    ) as n;

    classes := headgate._forecast_done(p_pipeline_id, p_params, p_at, classes, '[]');
end;
$func$;

-- A need as a forecast carries it. Of thousands of due times the hours are told apart. Meant to inline (no pinned path).
create or replace function headgate._forecast_need(
    p_state headgate.asset_processing_state,
    p_due_rule text,
    p_call_operation_id bigint,
    p_page_size integer,
    p_params jsonb,
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
            when p_params #>> '{?,calendar}' = 'daily' and p_due_rule = 'session' and p_state.next_due_at > p_at
                and p_state.watermark < date_trunc('day', p_at, 'UTC')
                then date_trunc('day', p_at, 'UTC')
            when p_is_coarse
                then date_trunc('hour', p_state.next_due_at + interval '59 minutes 59.999999 seconds')
            else p_state.next_due_at
        end,
        case
            when p_call_operation_id is null then null
            when p_page_size is null then headgate._missing_from(p_state)
            when headgate._missing_from(p_state) is not null then '-infinity'
        end,
        p_state.succeeded_at is null,
        p_state.chunk_id is not null
    )::headgate.forecast_need;
$func$;

-- Are there thousands of due times? Hops from one to the next along the index, and not beyond the first thousands.
create or replace function headgate._are_many_due_times(
    p_pipeline_id bigint,
    p_params jsonb
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    with recursive hop as (
        select d.operation_id, d.priority, d.next_due_at
        from headgate._needs(p_pipeline_id, p_params) as n
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

-- One day: decide, count, and let what was granted succeed.
create or replace function headgate._forecast_day(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_quota integer,
    p_used jsonb,
    p_classes headgate.forecast_class[],
    out classes headgate.forecast_class[],
    out units bigint,
    out new bigint,
    out updated bigint,
    out deferred bigint,
    out backlog bigint,
    out spent jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_done jsonb;
begin
    with need as materialized (
        select n.* from headgate._needs(p_pipeline_id, p_params, null, p_at) as n
    ),
    bundle as materialized (
        select
            row_number() over () as plan_no, c.class_no, min(c.group_key) as group_key, min(c.calendar) as calendar,
            min(c.weight) as weight, min(c.assets) as assets, min(d.priority) as priority,
            min(date_trunc('minute', d.next_due_at)) as due_since, min(d.missing_from) as missing_from, bool_or(d.is_new and n.is_first) as is_new,
            array_agg(d.operation_id order by d.operation_id) as operation_ids
        from unnest(p_classes) as c
        cross join unnest(c.needs) as d
        join need as n using (operation_id)
        where d.next_due_at <= p_at
        group by c.class_no, n.bundle
    ),
    later as (
        select
            d.operation_id, c.group_key, max(d.next_due_at) as due_since, sum(c.assets) as assets
        from unnest(p_classes) as c
        cross join unnest(c.needs) as d
        join need as n using (operation_id)
        where d.next_due_at > p_at
            and d.next_due_at < p_at + interval '40 days'
            and coalesce(p_params #>> '{?,calendar}' <> 'daily', true)
            and n.units > 0
            and not n.is_backfill
            and exists (select from need as b where b.is_backfill)
        group by d.operation_id, c.group_key, d.next_due_at
    ),
    decision as materialized (
        select b.class_no as sim_no, b.is_new, b.operation_ids, d.*
        from headgate._decide(
            p_pipeline_id, p_params, p_at, p_quota, null,
            (
                select array_agg(row(
                    b.plan_no, b.operation_ids, b.group_key, b.calendar, b.priority, b.due_since, b.weight, b.assets,
                    b.missing_from
                )::headgate.plan_class)
                from bundle as b
            ) || (
                select array_agg(row(
                    -l.nth, array[l.operation_id], l.group_key, null, 0, l.due_since, 1, l.assets, null
                )::headgate.plan_class)
                from (select row_number() over () as nth, l.* from later as l) as l
            ),
            p_used
        ) as d
        join bundle as b on b.plan_no = d.class_no
    ),
    cost as (
        select n.provider_id, sum(n.units * (d.last_nth - d.first_nth + 1)) as units
        from decision as d
        cross join unnest(d.operation_ids) as o (operation_id)
        join need as n using (operation_id)
        where d.is_granted
            and d.covered_operation_id is distinct from n.operation_id
        group by n.provider_id
        union all
        select n.call_provider_id, d.call_units
        from decision as d
        join need as n on n.operation_id = d.covered_operation_id
        where d.is_granted
            and d.cover_position = 0
    ),
    paid as (
        select c.provider_id, sum(c.units) as units from cost as c group by c.provider_id
    )
    select
        coalesce((select sum(p.units) from paid as p), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where d.is_granted and d.is_new), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where d.is_granted and not d.is_new), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where not d.is_granted), 0),
        coalesce((select jsonb_object_agg(p.provider_id, p.units) from paid as p), '{}'),
        coalesce(jsonb_agg(jsonb_build_object(
            'class_no', d.sim_no, 'operation_ids', d.operation_ids, 'first', d.first_nth, 'last', d.last_nth
        )) filter (where d.is_granted), '[]')
    into units, new, updated, deferred, spent, v_done
    from decision as d;

    classes := headgate._forecast_done(p_pipeline_id, p_params, p_at, p_classes, v_done);
    backlog := coalesce((
        select sum(c.assets)
        from unnest(classes) as c
        where exists (select from unnest(c.needs) as n where n.next_due_at <= p_at)
    ), 0);
end;
$func$;

-- Units used in windows that are still open at the next moment.
create or replace function headgate._still_used(
    p_used jsonb,
    p_spent jsonb,
    p_at timestamptz,
    p_next timestamptz
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(
        p.provider_id, coalesce((p_used ->> p.provider_id::text)::bigint, 0)
            + coalesce((p_spent ->> p.provider_id::text)::bigint, 0)
    ), '{}')
    from headgate.providers as p
    where (headgate._window_at(p, p_at)).opened_at = (headgate._window_at(p, p_next)).opened_at;
$func$;
