-- Raise or resolve the alert of a subject, which has at most one open, and tell those who follow runs. Nothing is
-- written if nothing changes.

create or replace function headgate._set_alert(
    p_subject text,
    p_severity text,
    p_message text,
    p_is_wrong boolean,
    p_now timestamptz,
    p_raised_by text default null
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_is_wrong = headgate._is_alerted(p_subject) then
        return;
    elsif p_is_wrong then
        insert into headgate.alerts (severity, subject, message, raised_at, raised_by)
        values (p_severity, p_subject, p_message, p_now, p_raised_by)
        on conflict (subject) where resolved_at is null do nothing;
    else
        update headgate.alerts as a
        set resolved_at = greatest(p_now, a.raised_at)
        where a.subject = p_subject
            and a.resolved_at is null;
    end if;
    perform pg_notify('headgate_progress', '');
end;
$func$;
