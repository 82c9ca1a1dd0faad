create or replace function headgate._reconcile_quota(
    p_provider text,
    p_reported integer,
    p_reported_on date
)
returns table (used_elsewhere integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_provider constant headgate.providers := headgate._provider(p_provider);
    v_window record;
begin
    if p_reported is null or p_reported < 0 then
        perform headgate._raise('HG008', 'the reported units must be 0 or more', 'nothing was changed');
    end if;
    perform headgate._open_window(v_provider, v_now);
    select * into v_window from headgate._window_at(v_provider, v_now);

    update headgate.quota_windows as w
    set used_elsewhere = greatest(0, p_reported - w.spent)
    where w.provider_id = v_provider.provider_id
        and w.opened_at = v_window.opened_at
        and p_reported_on = (v_now at time zone v_provider.quota_zone)::date
    returning w.used_elsewhere into used_elsewhere;
    return next;
end;
$func$;
