-- Runs the planner day by day on a simulated clock: each day headgate._decide decides as in a run, and everything
-- granted succeeds. Classes of similar assets are carried from day to day. Changes nothing.

create or replace function headgate.forecast(
    p_pipeline text,
    p_days integer,
    p_quota integer default null,
    p_params jsonb default '{}',
    p_counted boolean default false
)
returns table (
    day integer, units bigint, new bigint, updated bigint, deferred bigint, backlog bigint, pool text,
    pool_time interval, counted_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_options constant headgate.plan_options := headgate._what_if_options(v_pipeline, p_params);
    v_needs constant headgate.plan_need[] := array(
        select n from headgate._needs(v_pipeline.pipeline_id, v_options) as n
    );
    v_at timestamptz := headgate.clock();
    v_used jsonb := '{}';
    v_classes headgate.forecast_class[];
    v_pools constant jsonb := headgate._pool_times(v_pipeline.pipeline_id);
    v_hit_ratios constant jsonb := headgate._hit_ratios(v_pipeline.pipeline_id);
    v_day record;
begin
    perform headgate._check_quota_value(p_quota);
    if p_days is null or p_days not between 1 and 3660 then
        perform headgate._raise(
            'HG008', format('days must be between 1 and 3660, got %s', p_days), 'choose a number of days in that range'
        );
    end if;

    select k.counted_at, k.classes into counted_at, v_classes
    from headgate._counted_start(v_pipeline.pipeline_id, v_options) as k
    where p_counted;
    if not found then
        v_classes := headgate._forecast_start(v_pipeline.pipeline_id, v_options, v_at);
    end if;

    for v_nth in 1 .. p_days loop
        select d.* into v_day
        from headgate._forecast_day(
            v_pipeline.pipeline_id, v_options, v_needs, v_at, p_quota, v_used, v_hit_ratios, v_classes
        ) as d;
        v_classes := v_day.classes;
        day := v_nth;
        units := v_day.units;
        new := v_day.new;
        updated := v_day.updated;
        deferred := v_day.deferred;
        backlog := v_day.backlog;
        select p.pool, p.pool_time into pool, pool_time from headgate._busiest_pool(v_day.done, v_pools) as p;
        return next;

        v_used := headgate._still_used(v_used, v_day.spent, v_at, v_at + interval '24 hours');
        v_at := v_at + interval '24 hours';
    end loop;
end;
$func$;

comment on function headgate.forecast(text, integer, integer, jsonb, boolean) is
    'What one run a day, from now on, would do: units (without the share that the answer cache has spared lately), '
    'assets loaded for the first time, refreshed and put off (including those left out after failures), the backlog at '
    'the end of each day, and the pool that the day''s work keeps busy longest, with its minimum time by the mean time '
    'of such jobs (null: none has ended). counted: it may begin with the assets as a runner has counted them a little '
    'earlier, at counted_at (null: as they are now).';

-- For each operation of the pipeline that takes slots: its pool, and how long one of its jobs keeps the whole pool
-- busy, in seconds. The time is estimated from a hundred assets, because the history has no index by operation.
create or replace function headgate._pool_times(p_pipeline_id bigint)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(
        o.operation_id, jsonb_build_object('pool', o.pool, 'seconds', t.seconds * o.pool_slots / l.slots)
    ), '{}')
    from headgate.operations as o
    join headgate.pools as l on l.name = o.pool
    cross join lateral (
        select avg(d.duration_ms) / 1000 as seconds
        from (
            select s.asset_id
            from headgate.asset_processing_state as s
            where s.operation_id = o.operation_id
                and s.succeeded_at is not null
            limit 100
        ) as s
        join headgate.asset_processing_details as d
            on d.operation_id = o.operation_id
            and d.asset_id = s.asset_id
            and d.status = 'success'
            and d.ended_at > headgate.clock() - interval '31 days'
    ) as t
    where not o.is_retired
        and exists (
            select
            from headgate.pipeline_steps as s
            where s.pipeline_id = p_pipeline_id
                and o.name = any (s.operations)
        );
$func$;

-- Of the pools of a day's jobs, the one that they keep busy longest; pools without known times come last.
create or replace function headgate._busiest_pool(
    p_done jsonb,
    p_pools jsonb
)
returns table (pool text, pool_time interval)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select w.pool, make_interval(secs => round(w.seconds::numeric)::double precision)
    from (
        select
            p.pool,
            sum(((d.value ->> 'last')::bigint - (d.value ->> 'first')::bigint + 1) * p.seconds) as seconds
        from jsonb_array_elements(p_done) as d (value)
        cross join jsonb_array_elements_text(d.value -> 'operation_ids') as o (operation_id)
        cross join lateral jsonb_to_record(p_pools -> o.operation_id) as p (pool text, seconds double precision)
        where p_pools <> '{}'
            and p.pool is not null
            and d.value ->> 'served_by' is distinct from o.operation_id
        group by p.pool
    ) as w
    order by w.seconds desc nulls last, w.pool
    limit 1;
$func$;

-- One day: decide, count, and apply the success of what was granted.
create or replace function headgate._forecast_day(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_quota integer,
    p_used jsonb,
    p_hit_ratios jsonb,
    p_classes headgate.forecast_class[],
    out classes headgate.forecast_class[],
    out units bigint,
    out new bigint,
    out updated bigint,
    out deferred bigint,
    out backlog bigint,
    out spent jsonb,
    out done jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_needs constant headgate.plan_need[] := case
        when exists (select from headgate.breakers as b where b.blocked_until > p_at - interval '1 day')
            then array(select n from headgate._needs(p_pipeline_id, p_options, null, p_at) as n)
        else p_needs
    end;
begin
    with need as materialized (
        select n.* from unnest(v_needs) as n
    ),
    bundle as materialized (
        select
            row_number() over () as plan_no, c.class_no, min(c.group_key) as group_key, min(c.calendar) as calendar,
            min(c.weight) as weight, min(c.assets) as assets, min(d.priority) as priority,
            min(date_trunc('minute', d.next_due_at)) as due_since,
            nullif(min(d.missing_from), 'infinity') as missing_from, bool_or(d.is_new and n.is_first) as is_new,
            array_agg(d.operation_id order by d.operation_id) as operation_ids
        from unnest(p_classes) as c
        cross join unnest(c.needs) as d
        join need as n using (operation_id)
        where d.next_due_at <= p_at
        group by c.class_no, n.bundle, case when n.is_tied then date_trunc('minute', d.next_due_at) end
    ),
    later as (
        select
            d.operation_id, c.group_key, max(d.next_due_at) as due_since, sum(c.assets) as assets
        from unnest(p_classes) as c
        cross join unnest(c.needs) as d
        join need as n using (operation_id)
        where d.next_due_at > p_at
            and d.next_due_at < p_at + interval '40 days'
            and not p_options.is_daily
            and n.units > 0
            and not n.is_backfill
            and exists (select from need as b where b.is_backfill)
        group by d.operation_id, c.group_key, d.next_due_at
    ),
    decision as materialized (
        select b.class_no as sim_no, b.is_new, b.operation_ids, d.*
        from headgate._decide(
            p_pipeline_id, p_options, p_at, p_quota, v_needs,
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
        select
            n.provider_id,
            -- A plan reserves all; those of expected hits are given back.
            ceil(sum(n.units * (d.last_nth - d.first_nth + 1) * case
                when p_hit_ratios = '{}' then 1
                else 1 - coalesce((p_hit_ratios ->> n.operation_id::text)::numeric, 0)
            end))::bigint as units
        from decision as d
        cross join unnest(d.operation_ids) as o (operation_id)
        join need as n using (operation_id)
        where d.is_granted
            and d.served_operation_id is distinct from n.operation_id
        group by n.provider_id
        union all
        select n.call_provider_id, d.call_units
        from decision as d
        join need as n on n.operation_id = d.served_operation_id
        where d.is_granted
            and d.position_in_call = 0
    ),
    charge as (
        select c.provider_id, sum(c.units) as units from cost as c group by c.provider_id
    )
    select
        coalesce((select sum(p.units) from charge as p), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where d.is_granted and d.is_new), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where d.is_granted and not d.is_new), 0),
        coalesce(sum(d.last_nth - d.first_nth + 1) filter (where not d.is_granted), 0) + (
            select coalesce(sum(c.assets), 0)
            from unnest(p_classes) as c
            cross join unnest(c.needs) as n
            where n.is_left_out
        ),
        coalesce((select jsonb_object_agg(p.provider_id, p.units) from charge as p), '{}'),
        coalesce(jsonb_agg(jsonb_build_object(
            'class_no', d.sim_no, 'operation_ids', d.operation_ids, 'first', d.first_nth, 'last', d.last_nth,
            'served_by', d.served_operation_id
        )) filter (where d.is_granted), '[]')
    into units, new, updated, deferred, spent, done
    from decision as d;

    classes := headgate._forecast_done(p_options, p_needs, p_at, p_classes, done);
    backlog := coalesce((
        select sum(c.assets)
        from unnest(classes) as c
        where exists (select from unnest(c.needs) as n where n.next_due_at <= p_at)
    ), 0);
end;
$func$;

-- Units used in windows that are still open at the next step.
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
    where (p_used ? p.provider_id::text or p_spent ? p.provider_id::text)
        and (headgate._window_at(p, p_at)).opened_at = (headgate._window_at(p, p_next)).opened_at;
$func$;
