-- Open the provider's current window if it is missing, and keep its end up to date. Nothing to do without a quota.

create or replace function headgate._open_window(
    p_provider headgate.providers,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.quota_windows as q (provider_id, opened_at, closes_at, calendar, usable)
    select
        p_provider.provider_id, w.opened_at, w.closes_at, headgate._calendar_of(p_provider),
        greatest(0, p_provider.quota - p_provider.quota_buffer)
    from headgate._window_at(p_provider, p_now) as w
    where p_provider.quota is not null
        and not exists (
            select
            from headgate.quota_windows as q
            where q.provider_id = p_provider.provider_id
                and q.opened_at = w.opened_at
                and q.calendar = headgate._calendar_of(p_provider)
        )
    on conflict (provider_id, opened_at) do update
    set closes_at = excluded.closes_at,
        calendar = excluded.calendar;
$func$;
