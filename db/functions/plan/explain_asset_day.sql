-- Answers "Why was it not loaded last Tuesday?": what the runs of a day decided about an asset and, without a decision,
-- what excluded it. Decisions are stored; the exclusion is derived from the run's parameters, calendars and history.

create or replace function headgate.explain_asset_day(
    p_asset text,
    p_on date,
    p_universe text default null
)
returns table (
    operation text, pipeline text, run_id text, decision text, outcome text, reason text, units integer, evidence jsonb,
    decided_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_id constant bigint := headgate.find_asset(p_universe, p_asset);
    v_from constant timestamptz := p_on::timestamp at time zone 'UTC';
    v_until constant timestamptz := v_from + interval '24 hours';
begin
    return query
    with decided as materialized (
        select d.*
        from headgate.v_decisions as d
        where d.asset_id = v_asset_id
            and d.decided_at >= v_from
            and coalesce(d.started_at, d.decided_at) < v_until
            and (d.decided_at < v_until or d.started_at >= v_from)
    )
    select d.operation, d.pipeline, d.run_id, d.decision, d.outcome, d.reason, d.units, d.evidence, d.decided_at
    from decided as d
    union all
    select o.name, p.name, e.run_id, 'skip', null, k.reason, 0, k.evidence, coalesce(e.started_at, v_from)
    from headgate._operations_of(v_asset_id) as n
    join headgate.operations as o using (operation_id)
    join headgate.pipelines as p using (pipeline_id)
    left join headgate.process_executions as e
        on e.pipeline_id = n.pipeline_id and e.started_at >= v_from and e.started_at < v_until
    cross join lateral headgate._why_not(e, n.operation_id, v_asset_id) as k
    where not exists (select from decided as d where d.operation = o.name and (d.run_id = e.run_id or e.run_id is null))
    order by 9, 1;
end;
$func$;

comment on function headgate.explain_asset_day(text, date, text) is
    'What became of an asset on a day (UTC), operation by operation: what was decided in each run and its outcome, '
    'or what kept it out.';

-- The operations of an asset, by pipeline.
create or replace function headgate._operations_of(p_asset_id bigint)
returns table (pipeline_id bigint, operation_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct g.pipeline_id, o.operation_id
    from headgate.assets as a
    join headgate.operations as o using (universe)
    join headgate.pipeline_steps as g
        on o.name = any (g.operations) and (g.group_keys is null or a.group_key = any (g.group_keys))
    where a.asset_id = p_asset_id;
$func$;

-- Why a run without a decision did not include the pair.
create or replace function headgate._why_not(
    p_execution headgate.process_executions,
    p_operation_id bigint,
    p_asset_id bigint,
    out reason text,
    out evidence jsonb
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := p_execution.started_at;
    v_last record;
begin
    if v_at is null then
        reason := 'no run of its pipeline on this day is on record';
        evidence := '{}';
        return;
    end if;

    select
        max(d.ended_at) filter (where d.status in ('success', 'skipped')) as done_at,
        max(d.ended_at) filter (where d.status = 'failed') as failed_at
    into v_last
    from headgate.asset_processing_details as d
    where d.asset_id = p_asset_id
        and d.operation_id = p_operation_id
        and d.ended_at < v_at;
    reason := coalesce(
        headgate._why_not_asked(p_execution, p_operation_id, p_asset_id),
        headgate._why_not_free(p_execution, p_operation_id, p_asset_id),
        headgate._why_not_due(p_operation_id, p_asset_id, v_at, v_last.done_at)
    );
    evidence := jsonb_strip_nulls(jsonb_build_object(
        'last_done', v_last.done_at, 'last_failed', v_last.failed_at,
        'last_session_out', (select l.session from headgate._last_session_out(p_operation_id, p_asset_id, v_at) as l),
        'params', (
            select jsonb_object_agg(m.name, p_execution.params -> m.name)
            from headgate.pipeline_parameters as m
            where m.pipeline_id = p_execution.pipeline_id
                and reason = 'outside the run''s parameters'
                and p_execution.params -> m.name <> m.default_value
        )
    ));
end;
$func$;

-- Excluded by the run's steps or parameters.
create or replace function headgate._why_not_asked(
    p_execution headgate.process_executions,
    p_operation_id bigint,
    p_asset_id bigint
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        (
            select 'the run did not reach it: '
                || string_agg(format('step %s was %s', t.step, t.status), ', ' order by t.position)
            from headgate.process_steps as t
            join headgate.operations as o on o.operation_id = p_operation_id and o.name = any (t.operations)
            join headgate.assets as a
                on a.asset_id = p_asset_id and (t.group_keys is null or a.group_key = any (t.group_keys))
            where t.execution_id = p_execution.execution_id
            having count(t.planned_at) = 0
        ),
        case
            when not headgate._is_selected(p_execution, p_operation_id, p_asset_id)
                then 'outside the run''s parameters'
        end
    );
$func$;

create or replace function headgate._is_selected(
    p_execution headgate.process_executions,
    p_operation_id bigint,
    p_asset_id bigint
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        exists (
            select
            from headgate._planned_operations(p_execution.pipeline_id, headgate._plan_options(p_execution)) as n
            where n.operation_id = p_operation_id
        )
        -- By name, because the code may no longer exist.
        and coalesce((
            select bool_or(c.items ?| array[a.code, split_part(a.code, '.', 1)])
            from headgate._choices(p_execution.pipeline_id, headgate._plan_options(p_execution), 'assets') as c
        ), true)
        and coalesce(p_asset_id = any (headgate._assets_of_groups(
            p_execution.pipeline_id, headgate._plan_options(p_execution)
        )), true)
    from headgate.assets as a
    where a.asset_id = p_asset_id;
$func$;

-- Held by another run, or not active.
create or replace function headgate._why_not_free(
    p_execution headgate.process_executions,
    p_operation_id bigint,
    p_asset_id bigint
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        (
            select format('held by run %s', e.run_id)
            from headgate.v_decisions as d
            join headgate.operations as o on o.name = d.operation and o.operation_id = p_operation_id
            join headgate.process_executions as e on e.run_id = d.run_id and e.execution_id <> p_execution.execution_id
            join headgate.pipelines as p on p.pipeline_id = e.pipeline_id and p.name = d.pipeline
            where d.asset_id = p_asset_id
                and d.decision = 'run'
                and d.started_at <= p_execution.started_at
                and (d.decided_at >= p_execution.started_at or d.outcome is null)
            limit 1
        ),
        (select 'the asset is not active' from headgate.assets as a where a.asset_id = p_asset_id and not a.is_active)
    );
$func$;

-- Not due by its rule at that moment.
create or replace function headgate._why_not_due(
    p_operation_id bigint,
    p_asset_id bigint,
    p_at timestamptz,
    p_done_at timestamptz
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_done_at is null and f.name is not null then format('waited for %s to succeed', f.name)
        when p_done_at is null then 'not due: nothing is on record before this run'
        when o.due_rule = 'session' and l.session is null then 'not due: no session had been published'
        when o.due_rule = 'session' and l.published_at <= p_done_at then format(
            'not due: %s, the last published session, had been loaded by %s',
            l.session,
            p_done_at at time zone 'UTC'
        )
        when o.due_rule = 'session' then format(
            'not due: %s had been published, but a later due time was set', l.session
        )
        when o.due_rule = 'every' then format(
            'not due: done on %s, and due every %s', p_done_at at time zone 'UTC', headgate.in_words(o.due_every)
        )
        when o.due_rule = 'after' then format(
            'not due: its inputs had not changed since %s', p_done_at at time zone 'UTC'
        )
        else format('not due: done on %s', p_done_at at time zone 'UTC')
    end
    from headgate.operations as o
    left join headgate.operations as f on f.operation_id = o.follows_operation_id
    left join headgate._last_session_out(p_operation_id, p_asset_id, p_at) as l on true
    where o.operation_id = p_operation_id;
$func$;

-- The last session of the asset's calendar published at a moment; no row if the rule does not use sessions.
create or replace function headgate._last_session_out(
    p_operation_id bigint,
    p_asset_id bigint,
    p_at timestamptz
)
returns table (session date, published_at timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.session, s.closes_at + l.lag
    from headgate.operations as o
    join headgate.assets as a on a.asset_id = p_asset_id
    cross join lateral (select headgate._publication_lag(o.provider_id, a.calendar) as lag) as l
    join headgate.trading_sessions as s on s.calendar = a.calendar
    where o.operation_id = p_operation_id
        and o.due_rule = 'session'
        and s.session between (p_at at time zone 'UTC')::date - 30 and (p_at at time zone 'UTC')::date + 1
        and s.closes_at + l.lag <= p_at
    order by s.session desc
    limit 1;
$func$;
