-- The provider's own count, when it is today's: what it says beyond our book was used elsewhere.

create or replace function headgate.reconcile_quota(
    p_provider text,
    p_reported integer,
    p_reported_on date
)
returns table (used_elsewhere integer)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with request as (
        insert into headgate._requests (function, arguments)
        values ('reconcile_quota', jsonb_build_object(
            'p_provider', p_provider, 'p_reported', p_reported, 'p_reported_on', p_reported_on
        ))
        returning result
    )
    select r.*
    from request as q
    cross join lateral jsonb_to_record(q.result) as r (used_elsewhere integer);
$func$;

comment on function headgate.reconcile_quota(text, integer, date) is
    'Take over the provider''s own count of today''s units; an older day''s count is ignored (null).';

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
        perform headgate._raise('HG008', 'the reported units must be a number from 0', 'nothing was changed');
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
