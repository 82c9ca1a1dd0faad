-- Tell of exports of changes that have fallen behind, or no longer are: at the end of every run, because their own runs
-- may be what is missing.

create or replace function headgate._alert_changes(p_now timestamptz)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._set_alert(
        'export of changes ' || c.operation, 'warning', c.said || ': headgate.v_changes', c.is_behind, p_now
    )
    from headgate.waiting_changes() as c;
$func$;
