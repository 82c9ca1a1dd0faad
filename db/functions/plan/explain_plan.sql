-- EXPLAIN for the plan: the same SQL as the plan itself, with its reasons in sentences. Changes nothing.

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
    v_params constant jsonb := headgate._what_if_params(v_pipeline, p_params);
begin
    perform headgate._check_quota_value(p_quota);
    return query
    select e.*
    from headgate._explain_due(v_pipeline.pipeline_id, v_params, v_at, p_quota, p_assets) as e
    union all
    select k.*
    from headgate._explain_skips(v_pipeline.pipeline_id, v_params, v_at, p_assets) as k
    where p_assets is not null
    order by 8 nulls last, 1, 3;
end;
$func$;

comment on function headgate.explain_plan(text, timestamptz, integer, jsonb, bigint[]) is
    'What a run would do and why, pair by pair, at another time, quota or parameters if given; changes nothing.';

create or replace function headgate._check_quota_value(p_quota integer)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_quota < 0 then
        perform headgate._raise('HG008', format('the quota cannot be negative: %s', p_quota), 'usable units per window, from 0');
    end if;
end;
$func$;

-- Every due pair and what the plan makes of it. All are ranked, whoever is asked about.
create or replace function headgate._explain_due(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_quota integer,
    p_assets bigint[]
)
returns table (
    asset text, group_key text, operation text, decision text, reason text, evidence jsonb, units integer, rank bigint,
    run_at timestamptz, alternative text
)
language sql
stable
rows 10000
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
set jit = off
as $func$
    select
        a.code,
        p.group_key,
        o.name,
        case when p.is_granted then 'run' else 'defer' end,
        headgate._sentence(o, s, p.is_granted, p.reason, p.run_at),
        jsonb_strip_nulls(jsonb_build_object(
            'due_since', s.next_due_at,
            'watermark', headgate._request_time(s.watermark),
            'calendar', case when o.due_rule = 'session' then a.calendar end,
            'expected_sessions', p.sessions,
            'failures', nullif(s.consecutive_failures, 0),
            'last_error', s.last_error,
            'last_success', s.succeeded_at,
            'provider', r.name,
            'served_by', case when p.cover_no is not null then k.name end,
            'breaker_open_until', headgate._request_time(h.closed_until),
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
            when p.cover_no is not null and p.other_cost >= 1000000000 then 'no call for one asset'
            when p.cover_no is not null
                then format('one by one: %s units, %s more', p.other_cost, p.other_cost - p.cost)
            when k.name is not null
                then format('%s: %s units, %s more', k.name, p.other_cost, p.other_cost - p.cost)
        end
    from headgate._plan(p_pipeline_id, p_params, p_at, p_quota) as p
    join headgate.operations as o using (operation_id)
    join headgate.providers as r on r.provider_id = p.provider_id
    join headgate.assets as a using (asset_id)
    join headgate.asset_processing_state as s
        on s.operation_id = p.operation_id and s.asset_id = p.asset_id
    left join headgate.operations as k on k.operation_id = p.call_operation_id
    left join headgate.operation_gates as h
        on h.closed_until > p_at
        and h.operation_id = case when p.cover_no is not null then p.call_operation_id else p.operation_id end
    where p_assets is null
        or p.asset_id = any (p_assets);
$func$;

-- Pairs of the asked assets that are not in the plan, each with what keeps it out.
create or replace function headgate._explain_skips(
    p_pipeline_id bigint,
    p_params jsonb,
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
        case
            when not a.is_active then 'the asset is not active'
            when c.chunk_id is not null
                then format('held by execution %s (chunk %s, %s)', e.run_id, c.chunk_id, c.state)
            when s.consecutive_failures >= 5
                then format('left out after %s failures in a row: %s', s.consecutive_failures, s.last_error)
            when s.next_due_at > p_at then format('not due before %s', s.next_due_at at time zone 'UTC')
            when s.next_due_at is null and o.follows_operation_id is not null and s.succeeded_at is null
                then format('opens when %s has succeeded', f.name)
            when s.next_due_at is null and o.due_rule = 'after' then 'its inputs have not changed since'
            when s.next_due_at is null then 'done'
            else 'outside the run''s parameters'
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
            select d.operation_id, d.asset_id
            from headgate._candidates(p_pipeline_id, p_params, p_at) as d
            where d.asset_id = any (p_assets)
        );
$func$;

-- Why a due pair is due, and why it has to wait if it has. Meant to inline (no pinned path): it is asked once per pair.
create or replace function headgate._sentence(
    p_operation headgate.operations,
    p_state headgate.asset_processing_state,
    p_is_granted boolean,
    p_refusal text,
    p_run_at timestamptz
)
returns text
language sql
stable
as $func$
    select case
            when p_state.reprocess_requested_at > coalesce(p_state.succeeded_at, '-infinity') then 'asked for again'
            when p_state.succeeded_at is null and p_operation.follows_operation_id is null then 'never done'
            when p_operation.due_rule = 'session' then 'a session has closed since ' || coalesce(
                headgate._request_time(p_state.watermark), 'the beginning'
            )
            when p_operation.due_rule = 'every' then 'older than ' || p_operation.due_every
            when p_operation.due_rule = 'after' then 'its inputs have changed'
            else 'due by its rule'
        end
        || case
            when p_refusal = 'quota' then '; the units left end before its rank: earliest ' || (p_run_at at time zone 'UTC')
            when p_refusal = 'share' then '; its pipeline''s share of the window ends before its rank: earliest ' || (p_run_at at time zone 'UTC')
            when p_refusal = 'reserve' then '; a backfill, which leaves units for what is due later: earliest ' || (p_run_at at time zone 'UTC')
            when p_refusal = 'max_assets' then '; the run''s ceiling of assets is reached'
            when p_refusal = 'breaker' then '; its breaker is open until ' || (p_run_at at time zone 'UTC')
            when p_refusal = 'closed' then '; its provider is closed until ' || (p_run_at at time zone 'UTC')
            else ''
        end;
$func$;
