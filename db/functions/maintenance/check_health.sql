-- Ends the sessions of readers that hold the horizon, looks for what will hurt later, raises an alert for each, and resolves
-- those whose cause is gone.

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
    v_ended constant integer := headgate._end_readers();
begin
    if v_ended > 0 then
        perform headgate._record_action('end_readers', '{}', jsonb_build_object('sessions', v_ended));
    end if;
    perform headgate._judge_health(h.severity, h.subject, h.message, h.is_wrong, v_now)
    from headgate._health(v_now) as h;

    return query
    select a.severity, a.subject, a.message
    from headgate.alerts as a
    where a.resolved_at is null
    order by a.severity, a.subject;
end;
$func$;

comment on function headgate.check_health(text, text) is
    'Step of the maintenance: end late readers, raise and resolve alerts; returns those that are open.';

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
            coalesce(c.last_session::text, 'no day at all')
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
        'error',
        'provider ' || p.name,
        format('%s is closed until %s: %s', p.name, g.blocked_until at time zone 'UTC', g.blocked_reason),
        coalesce(g.blocked_until > p_now + interval '1 hour', false)
    from headgate.providers as p
    join headgate.provider_gates as g using (provider_id)
    union all
    select
        'error',
        'operation ' || o.name,
        format('%s is closed until %s: %s', o.name, k.blocked_until at time zone 'UTC', k.blocked_reason),
        coalesce(k.blocked_until > p_now + interval '1 hour', false)
    from headgate.operation_gates as k
    join headgate.operations as o using (operation_id)
    union all
    select
        'warning',
        'sessions of readers',
        format('%s hold the horizon and may not be ended: grant pg_signal_backend to headgate_owner', count(*)),
        count(*) > 0 and not headgate._may_end_sessions()
    from headgate._late_readers() as r;
$func$;

create or replace function headgate._judge_health(
    p_severity text,
    p_subject text,
    p_message text,
    p_is_wrong boolean,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_is_wrong then
        insert into headgate.alerts (severity, subject, message, raised_at)
        values (p_severity, p_subject, p_message, p_now)
        on conflict (subject) where resolved_at is null do nothing;
    else
        update headgate.alerts as a
        set resolved_at = greatest(p_now, a.raised_at)
        where a.subject = p_subject
            and a.resolved_at is null;
    end if;
end;
$func$;
