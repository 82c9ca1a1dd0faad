-- Resolve a check's alerts, except those of the given subjects: nothing else resolves alerts of subjects that are no
-- longer checked.
create or replace function headgate._resolve_checks_alerts(
    p_name text,
    p_but text[],
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(a.subject, a.severity, a.message, false, p_now)
    from headgate.alerts as a
    where a.resolved_at is null
        and split_part(a.subject, ' ', 1) = 'check'
        and split_part(a.subject, ' ', 2) = p_name
        and a.subject <> all (p_but);
$func$;
