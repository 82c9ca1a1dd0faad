-- EXPLAIN for the plan: the same SQL, with reasons in words. Changes nothing.

create or replace function headgate.explain_plan(
    p_pipeline text,
    p_at timestamptz default null,
    p_quota integer default null,
    p_params jsonb default '{}',
    p_assets bigint[] default null
)
returns table (
    asset text, group_key text, operation text, decision text, reason text, evidence jsonb, units integer, rank bigint,
    run_at timestamptz, alternative text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := coalesce(p_at, headgate.clock());
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_options constant headgate.plan_options := headgate._what_if_options(v_pipeline, p_params);
begin
    perform headgate._check_quota_value(p_quota);
    return query
    select e.*
    from headgate._explain_due(v_pipeline.pipeline_id, v_options, v_at, p_quota, p_assets) as e
    where p_assets is null
        or headgate._is_any_due(v_pipeline.pipeline_id, v_options, v_at, p_assets)
    union all
    select k.*
    from headgate._explain_skips(v_pipeline.pipeline_id, v_options, v_at, p_assets) as k
    where p_assets is not null
    union all
    select
        null, null, null, s.decision, s.reason,
        jsonb_strip_nulls(jsonb_build_object('run_id', s.run_id, 'step', s.step)), 0, null, s.run_at, null
    from headgate.explain_steps(p_pipeline, v_at, p_params) as s
    where p_assets is null
    order by 8 nulls last, 1, 3;
end;
$func$;

comment on function headgate.explain_plan(text, timestamptz, integer, jsonb, bigint[]) is
    'What a run would do and why, pair by pair, optionally at another time, quota or with parameters; then, unless '
    'assets are given, what headgate.explain_steps reports on whole steps and runs; changes nothing.';

-- Without any, nothing has to be ranked, which costs most of an explanation.
create or replace function headgate._is_any_due(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_assets bigint[]
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate._candidates(p_pipeline_id, p_options, p_at) as d
        where d.asset_ids && p_assets
    ) or exists (
        select
        from headgate._left_out(p_pipeline_id, p_options) as l
        where l.asset_id = any (p_assets)
    );
$func$;

-- Every due pair and its decision, and the pairs left out after failures. All are ranked, whichever were asked for. A
-- few pairs look up their assets and states one by one, as the plan does; many are joined.
create or replace function headgate._explain_due(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_quota integer,
    p_assets bigint[]
)
returns table (
    asset text, group_key text, operation text, decision text, reason text, evidence jsonb, units integer, rank bigint,
    run_at timestamptz, alternative text
)
language plpgsql
stable
rows 10000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
set enable_hashjoin = on
set enable_mergejoin = on
set enable_nestloop = on
set jit = off
as $func$
declare
    v_hit_ratios constant jsonb := headgate._hit_ratios(p_pipeline_id);
begin
    perform
        set_config('enable_nestloop', case when n.are_few then 'on' else 'off' end, true),
        set_config('enable_hashjoin', case when n.are_few then 'off' else 'on' end, true),
        set_config('enable_mergejoin', case when n.are_few then 'off' else 'on' end, true)
    from (
        select count(*) <= 5000 as are_few
        from headgate._due_pairs(
            array(select o.operation_id from headgate._planned_operations(p_pipeline_id, p_options) as o), p_at, 5001
        )
    ) as n;
    return query
    with plan as materialized (
        select p.* from headgate._plan(p_pipeline_id, p_options, p_at, p_quota) as p
    ),
    last_out as materialized (
        -- The last published session of each calendar.
        select k.operation_id, k.calendar, headgate._missing_sessions(
            k.provider_id, k.calendar, (p_at at time zone 'UTC')::date - 30, p_at, false, 100
        ) as sessions
        from (
            select distinct o.operation_id, o.provider_id, a.calendar
            from plan as p
            join headgate.operations as o using (operation_id)
            join headgate.assets as a using (asset_id)
            where o.due_rule = 'session'
                and (p_assets is null or p.asset_id = any (p_assets))
        ) as k
    )
    select
        a.code,
        p.group_key,
        o.name,
        case when p.is_granted then 'run' else 'defer' end,
        headgate._sentence(o, s, p.is_granted, p.reason, w.meaning, p.run_at) || coalesce('; ' || b.because, ''),
        jsonb_strip_nulls(jsonb_build_object(
            'due_since', s.next_due_at,
            'watermark', headgate._request_time(s.watermark),
            'calendar', case when o.due_rule = 'session' then a.calendar end,
            'expected_session', l.sessions[cardinality(l.sessions)],
            'expected_sessions', case when p.sessions[1] is not null then to_jsonb(p.sessions) end,
            'failures', nullif(s.consecutive_failures, 0),
            'last_error', s.last_error,
            'last_success', s.succeeded_at,
            'provider', r.name,
            'bulk_misses', nullif(s.bulk_misses, 0),
            'served_by', case when p.call_no is not null then k.name end,
            'breaker_open_until', headgate._request_time(h.blocked_until),
            'cache_hit_ratio', u.hit_ratio,
            'expected_units', round(p.units * (1 - u.hit_ratio), 2),
            'units_left', p.units_left,
            'units_ranked_before', p.units_before,
            'units_short', case
                when p.reason in ('quota', 'share', 'reserve')
                    then greatest(0, p.units_before + p.units_together - p.units_left)
            end
        )),
        p.units,
        p.rank,
        p.run_at,
        case
            when p.call_no is not null and p.other_cost >= 1000000000 then 'no call for one asset'
            when p.call_no is not null
                then format('one by one: %s units, %s more', p.other_cost, p.other_cost - p.cost)
            when k.name is not null
                then format('%s: %s units, %s more', k.name, p.other_cost, p.other_cost - p.cost)
        end
    from plan as p
    join headgate.operations as o using (operation_id)
    join headgate.providers as r on r.provider_id = p.provider_id
    join headgate.assets as a using (asset_id)
    join headgate.asset_processing_state as s
        on s.operation_id = p.operation_id and s.asset_id = p.asset_id
    left join headgate.operations as k on k.operation_id = p.call_operation_id
    left join headgate.breakers as h
        on h.blocked_until > p_at
        and h.operation_id = case when p.call_no is not null then p.call_operation_id else p.operation_id end
    left join headgate.v_deferral_reasons as w on w.reason = p.reason
    cross join lateral (select (v_hit_ratios ->> p.operation_id::text)::numeric as hit_ratio) as u
    left join headgate._broken_calls(p_at) as b
        on b.operation_id = p.operation_id
        and p.call_no is null
        and headgate._missing_from(s, p_at) is not null
        and exists (
            select
            from headgate._needs(p_pipeline_id, p_options) as n
            where n.call_operation_id = b.call_operation_id
        )
    left join last_out as l on l.operation_id = p.operation_id and l.calendar = a.calendar
    where p_assets is null
        or p.asset_id = any (p_assets);
end;
$func$;

-- Pairs of the given assets that are not in the plan, with the reason.
create or replace function headgate._explain_skips(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_at timestamptz,
    p_assets bigint[]
)
returns table (
    asset text, group_key text, operation text, decision text, reason text, evidence jsonb, units integer, rank bigint,
    run_at timestamptz, alternative text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.code,
        a.group_key,
        o.name,
        'skip',
        case headgate._skipped_because(a.is_active, s, o, p_at)
            when 'held by a run' then format('held by execution %s (chunk %s, %s)', e.run_id, c.chunk_id, case
                when c.waits_for_pool is not null then c.park_reason
                else c.state
            end)
            when 'not due yet' then format('not due before %s', s.next_due_at at time zone 'UTC')
            when 'opens later' then format('opens when %s has succeeded', f.name)
            else headgate._skipped_because(a.is_active, s, o, p_at)
        end,
        jsonb_strip_nulls(jsonb_build_object(
            'due_since', s.next_due_at,
            'watermark', headgate._request_time(s.watermark),
            'calendar', case when o.due_rule = 'session' then a.calendar end,
            'failures', nullif(s.consecutive_failures, 0),
            'last_error', s.last_error,
            'last_success', s.succeeded_at,
            'held_by', e.run_id
        )),
        0,
        null::bigint,
        case when s.next_due_at > p_at then s.next_due_at end,
        null::text
    from headgate.pipeline_steps as g
    join headgate.operations as o on o.name = any (g.operations)
    join headgate.asset_processing_state as s using (operation_id)
    join headgate.assets as a using (asset_id)
    left join headgate.operations as f on f.operation_id = o.follows_operation_id
    left join headgate.chunks as c on c.chunk_id = s.chunk_id
    left join headgate.process_executions as e on e.execution_id = c.execution_id
    where g.pipeline_id = p_pipeline_id
        and (g.group_keys is null or a.group_key = any (g.group_keys))
        and s.asset_id = any (p_assets)
        and (s.operation_id, s.asset_id) not in (
            select d.operation_id, u.asset_id
            from headgate._candidates(p_pipeline_id, p_options, p_at) as d
            cross join unnest(d.asset_ids) as u (asset_id)
            where u.asset_id = any (p_assets)
            union all
            select l.operation_id, l.asset_id
            from headgate._left_out(p_pipeline_id, p_options) as l
        );
$func$;

-- Why it is due and, from v_deferral_reasons, why it waits. Inlined (no pinned path), because it runs once per pair.
create or replace function headgate._sentence(
    p_operation headgate.operations,
    p_state headgate.asset_processing_state,
    p_is_granted boolean,
    p_deferral_reason text,
    p_meaning text,
    p_run_at timestamptz
)
returns text
language sql
stable
as $func$
    select headgate._due_because(p_operation, p_state)
        || case
            when headgate._due_because(p_operation, p_state) = 'a session has closed since'
                then ' ' || coalesce(headgate._request_time(p_state.watermark), 'the beginning')
            else ''
        end
        || case
            when p_is_granted then ''
            when p_deferral_reason = 'max_assets' then '; ' || p_meaning
            when p_deferral_reason = 'failures' then '; ' || p_meaning || coalesce(': ' || p_state.last_error, '')
            else '; ' || p_meaning
                || case when p_deferral_reason in ('blocked', 'breaker') then ' until ' else ': earliest ' end
                || (p_run_at at time zone 'UTC')
        end;
$func$;
