-- A run's history as lines in time order, from rows that exist anyway: nothing is logged twice. Jobs with the same
-- outcome in one commit share a line. At the same time, lines of a step stay together.

create or replace function headgate.run_log(
    p_pipeline text,
    p_run_id text,
    p_since timestamptz default null
)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution constant headgate.process_executions := headgate._execution(p_pipeline, p_run_id);
    v_since constant timestamptz := greatest(p_since, v_execution.started_at);
begin
    return query
    select l.logged_at, l.severity, l.event, l.step, l.message
    from (
        select r.*, case when r.message like 'started%' then 10 else 60 end as place
        from headgate._run_lines(v_execution) as r
        union all
        select o.*, 20 from headgate._operator_lines(v_execution, p_pipeline) as o
        union all
        select d.*, 30 from headgate._deferral_lines(v_execution) as d
        union all
        select s.*, case when s.message = 'started' then 40 else 42 end from headgate._step_lines(v_execution) as s
        union all
        select j.*, 41 from headgate._job_lines(v_execution, v_since) as j
        union all
        select a.*, 50 from headgate._alert_lines(v_execution, p_pipeline) as a
    ) as l
    left join headgate.process_steps as s on s.execution_id = v_execution.execution_id and s.step = l.step
    where l.logged_at >= v_since
    order by l.logged_at, l.place / 10, s.position, l.place, l.message;
end;
$func$;

comment on function headgate.run_log(text, text, timestamptz) is
    'The history of a run in time order: its start and end, steps, jobs, deferrals, alerts and operator actions; from '
    'p_since on.';

create or replace function headgate._run_lines(p_execution headgate.process_executions)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_execution.started_at, 'info', 'run', null::text,
        format(
            'started, carried by %s%s', case p_execution.driver when 'airflow' then 'Airflow' else 'runners' end,
            ', parameters ' || nullif(jsonb_strip_nulls(p_execution.params), '{}')::text
        )
    union all
    select
        p_execution.finished_at,
        case p_execution.status when 'failed' then 'error' when 'cancelled' then 'warning' else 'info' end,
        'run', null,
        format(
            'ended as %s: %s', p_execution.status,
            headgate._outcome_words(
                p_execution.planned, p_execution.succeeded, p_execution.failed, p_execution.deferred,
                p_execution.skipped, p_execution.units
            )
        )
    where p_execution.finished_at is not null;
$func$;

create or replace function headgate._step_lines(p_execution headgate.process_executions)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.started_at, 'info', 'step', s.step, 'started'
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.status not in ('pending', 'skipped')
        -- steps ended before their turn are placed at their end
        and not ((s.status = 'cancelled' or s.is_marked) and s.started_at = s.finished_at)
    union all
    select
        s.finished_at,
        case
            when s.status = 'failed' and not s.may_fail then 'error'
            when s.status in ('failed', 'cancelled') then 'warning'
            else 'info'
        end,
        'step', s.step,
        case
            when s.status = 'skipped' then format('skipped: %s', case s.skip_reason
                when 'rule' then format('its trigger rule is %s', s.trigger_rule)
                when 'upstream_failed' then format('its trigger rule is %s', s.trigger_rule)
                when 'condition' then format('its condition is not met: %s', s.condition)
                when 'operator' then 'an operator said so'
                when 'operator_behind' then 'an operator said so'
                when 'finalized' then 'the run ended before it'
                else s.skip_reason
            end)
            when s.kind = 'function' then s.status || coalesce(': ' || left(o.error, 300), '')
            else format('%s: %s', s.status, headgate._outcome_words(
                s.planned, s.succeeded, s.failed, s.deferred, s.skipped, s.units
            ))
        end
    from headgate.process_steps as s
    cross join lateral (select coalesce(s.output ->> 'error', s.output #>> '{0,error}') as error) as o
    where s.execution_id = p_execution.execution_id
        and s.finished_at is not null;
$func$;

-- The non-zero counts, as text.
create or replace function headgate._outcome_words(
    p_planned integer,
    p_succeeded integer,
    p_failed integer,
    p_deferred integer,
    p_skipped integer,
    p_units integer
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select concat_ws(
        ', ', headgate._count_words(p_planned, 'job'),
        (
            select string_agg(to_char(c.number, 'FM999,999,999,990') || ' ' || c.name, ', ' order by c.nth)
            from (values
                (1, p_succeeded, 'succeeded'), (2, p_failed, 'failed'), (3, p_deferred, 'deferred'),
                (4, p_skipped, 'skipped')
            ) as c (nth, number, name)
            where c.number > 0
        ),
        case when p_units > 0 then headgate._count_words(p_units, 'unit') end
    );
$func$;

create or replace function headgate._job_lines(
    p_execution headgate.process_executions,
    p_since timestamptz
)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        d.ended_at,
        case
            when d.status = 'failed' then 'error'
            when d.status = 'cancelled' or d.is_fault then 'warning'
            else 'info'
        end,
        'jobs',
        d.step,
        format(
            '%s of %s %s%s', headgate._count_words(count(*), 'job'), o.name,
            case d.status when 'success' then 'succeeded' else d.status end,
            case when d.round > 1 then format(' in round %s', d.round) end
        )
        || coalesce(': ' || regexp_replace(d.why, '^(internal|provider): ', ''), '')
        || case
            when d.status in ('failed', 'deferred') then format(' (%s)', headgate._names(array_agg(a.code))) else ''
        end
        || headgate._cost_words(sum(d.records), sum(d.api_calls_used))
    from (
        select
            d.*, headgate._is_fault(d.reason) as is_fault,
            case when d.status <> 'success' then coalesce(d.error, d.reason) end as why
        from headgate.asset_processing_details as d
        where d.execution_id = p_execution.execution_id
            and d.ended_at >= p_since
    ) as d
    join headgate.operations as o using (operation_id)
    join headgate.assets as a using (asset_id)
    group by d.ended_at, d.step, o.name, d.status, d.round, d.is_fault, d.why;
$func$;

-- Records and units of jobs, if any.
create or replace function headgate._cost_words(
    p_records bigint,
    p_units bigint
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        case when p_records > 0 then ', ' || headgate._count_words(p_records, 'record') else '' end
        || case when p_units > 0 then ', ' || headgate._count_words(p_units, 'unit') else '' end;
$func$;

create or replace function headgate._deferral_lines(p_execution headgate.process_executions)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        d.deferred_at,
        case when d.reason = 'failures' then 'warning' else 'info' end,
        'deferral',
        null::text,
        format(
            '%s of %s not planned: %s%s', headgate._count_words(sum(cardinality(d.asset_ids)), 'job'), o.name,
            coalesce(r.meaning, d.reason), headgate._cost_words(0, sum(d.units))
        )
    from headgate.planner_deferrals as d
    join headgate.operations as o using (operation_id)
    left join headgate.v_deferral_reasons as r using (reason)
    where d.execution_id = p_execution.execution_id
    group by d.deferred_at, o.name, d.reason, r.meaning;
$func$;

-- Alerts raised during the run, except those of other pipelines' steps.
create or replace function headgate._alert_lines(
    p_execution headgate.process_executions,
    p_pipeline text
)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select m.logged_at, m.severity, 'alert', null::text, format('%s: %s%s', a.subject, m.prefix, a.message)
    from headgate.alerts as a
    cross join lateral (values
        (a.raised_at, a.severity, ''), (a.resolved_at, 'info', 'resolved: ')
    ) as m (logged_at, severity, prefix)
    where m.logged_at between p_execution.started_at and coalesce(p_execution.finished_at, 'infinity')
        and (a.subject !~ '^step .* of ' or right(a.subject, length(p_pipeline) + 4) = ' of ' || p_pipeline);
$func$;

-- Operator actions on the run, and on its pipeline during the run.
create or replace function headgate._operator_lines(
    p_execution headgate.process_executions,
    p_pipeline text
)
returns table (logged_at timestamptz, severity text, event text, step text, message text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.acted_at, 'info', 'operator', a.arguments ->> 'step',
        format('%s called %s%s', a.operator, a.action, ', ' || (a.arguments ->> 'status'))
        || coalesce(': ' || nullif((
            select string_agg(format('%s %s', c.value, replace(c.name, '_', ' ')), ', ' order by c.name)
            from jsonb_each_text(a.changed) as c (name, value)
            where c.value <> '0'
        ), ''), '')
    from headgate.operator_actions as a
    where a.arguments ->> 'pipeline' = p_pipeline
        and a.acted_at >= p_execution.started_at
        and case
            when a.arguments ? 'run_id' then a.arguments ->> 'run_id' = p_execution.run_id
            else a.acted_at <= coalesce(p_execution.finished_at, 'infinity')
        end;
$func$;
