-- Ends sessions that exceed their role's limits, looks for coming problems, runs the checks without a pipeline, raises
-- an alert for each problem, and resolves alerts whose cause is gone.

create or replace function headgate.check_health(
    p_pipeline text,
    p_run_id text
)
returns table (severity text, subject text, message text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
begin
    perform headgate._end_sessions();
    perform headgate._alert_breakers(null, null, v_now);
    perform headgate._set_alert(h.subject, h.severity, h.message, h.is_wrong, v_now)
    from headgate._health(v_now) as h;
    perform headgate._alert_changes(v_now);
    perform headgate._resolve_gone_steps(v_now);
    perform headgate._run_checks(null, null);

    return query
    select a.severity, a.subject, a.message
    from headgate.alerts as a
    where a.resolved_at is null
    order by a.severity, a.subject;
end;
$func$;

comment on function headgate.check_health(text, text) is
    'Step of the maintenance: end late sessions, run the checks without a pipeline, raise and resolve alerts; returns '
    'the open alerts.';

create or replace function headgate._health(p_now timestamptz)
returns table (severity text, subject text, message text, is_wrong boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'warning',
        'calendar ' || c.calendar,
        format(
            'the trading sessions of %s end on %s: load more (docs/operations.md)', c.calendar,
            coalesce(c.last_session::text, 'no session at all')
        ),
        coalesce(c.last_session < (p_now + s.ahead)::date, true)
    from (
        select a.calendar, (
            select max(t.session) from headgate.trading_sessions as t where t.calendar = a.calendar
        ) as last_session
        from (select distinct a.calendar from headgate.assets as a where a.calendar is not null and a.is_active) as a
    ) as c
    cross join (
        select (s.value #>> '{}')::interval as ahead from headgate.settings as s where s.name = 'sessions_ahead'
    ) as s
    union all
    select
        'warning',
        'sessions beyond their limits',
        format('%s exceed their limits and cannot be ended: grant pg_signal_backend to headgate_owner', count(*)),
        count(*) > 0 and not headgate._may_end_sessions()
    from headgate._late_sessions() as s
    union all
    select 'warning', 'old history', format('%s: %s', f.found, f.advice), f.subject is not null
    from (select) as one
    left join headgate._examine_history() as f on true
    union all
    select 'error', 'address of ' || p.name, s.found, s.provider is not null
    from headgate.providers as p
    left join headgate._strange_addresses() as s on s.provider = p.name
    where s.provider is not null or headgate._is_alerted('address of ' || p.name);
$func$;

-- Alerts of steps that no longer exist; nothing else would resolve them.
create or replace function headgate._resolve_gone_steps(p_now timestamptz)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    update headgate.alerts as a
    set resolved_at = greatest(p_now, a.raised_at)
    where a.alert_id in (
        select l.alert_id
        from headgate.alerts as l
        where l.resolved_at is null
            and l.subject like 'step %'
            and not exists (
                select
                from headgate.pipeline_steps as s
                join headgate.pipelines as p using (pipeline_id)
                where headgate._step_subject(p.name, s.step) = l.subject
            )
        for update skip locked
    );
$func$;
