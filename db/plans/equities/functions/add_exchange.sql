-- Adds an exchange that the plan does not come with. This call, the exchange's listings and its calendar may come in
-- any order: listings are loaded once a step covers their exchange, and what a late calendar missed is caught up.

create or replace function equities.add_exchange(
    p_group_key text,
    p_calendar text,
    p_step text default 'process_european_markets'
)
returns table (group_key text, step text, calendar text, listings bigint, sessions bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    if coalesce(p_calendar, '') = '' then
        raise exception using
            errcode = 'HG008',
            message = 'an exchange needs the calendar of its sessions',
            hint = 'a code of the package exchange-calendars, e.g. XWBO for Vienna';
    end if;
    perform headgate.cover_groups('data_collection_equities', p_step, array[p_group_key]);
    perform headgate.upsert_assets('trading_calendars', jsonb_build_array(jsonb_build_object(
        'code', p_calendar, 'group_key', 'calendar'
    )));

    return query
    select
        p_group_key, p_step, p_calendar,
        (select count(*) from headgate.v_assets as a where a.universe = 'equities' and a.group_key = p_group_key),
        (select count(*) from headgate.v_trading_sessions as t where t.calendar = p_calendar);
end;
$func$;

comment on function equities.add_exchange(text, text, text) is
    'Let a step load an exchange of your own, and have its calendar computed; returns what exists of it so far.';
