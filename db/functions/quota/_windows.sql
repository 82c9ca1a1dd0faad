-- A provider's quota windows, in the provider's own calendar.

create or replace function headgate._window_at(
    p_provider headgate.providers,
    p_at timestamptz,
    out opened_at timestamptz,
    out closes_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        date_trunc(p_provider.quota_period, p_at, p_provider.quota_zone),
        (
            date_trunc(p_provider.quota_period, p_at, p_provider.quota_zone) at time zone p_provider.quota_zone
            + ('1 ' || p_provider.quota_period)::interval
        ) at time zone p_provider.quota_zone;
$func$;

-- Open the provider's current window if it is missing. Nothing to open where there is no quota.
create or replace function headgate._open_window(
    p_provider headgate.providers,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.quota_windows (provider_id, opened_at, closes_at, usable)
    select p_provider.provider_id, w.opened_at, w.closes_at, greatest(0, p_provider.quota - p_provider.quota_buffer)
    from headgate._window_at(p_provider, p_now) as w
    where p_provider.quota is not null
        and not exists (
            select
            from headgate.quota_windows as q
            where q.provider_id = p_provider.provider_id
                and q.opened_at = w.opened_at
        )
    on conflict (provider_id, opened_at) do nothing;
$func$;

-- What a provider still allows at a moment, without touching anything. No quota: left is null.
create or replace function headgate._budget(
    p_provider headgate.providers,
    p_at timestamptz,
    p_usable integer,
    out opened_at timestamptz,
    out closes_at timestamptz,
    out units_left integer,
    out blocked_until timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        b.opened_at,
        b.closes_at,
        case
            when p_provider.quota is null and p_usable is null then null
            when q.blocked_until > p_at then 0
            else greatest(
                0,
                least(p_usable, coalesce(q.usable, p_provider.quota - p_provider.quota_buffer))
                - coalesce(q.used_elsewhere + q.reserved + q.spent, 0)
            )
        end,
        greatest(
            case when q.blocked_until > p_at then q.blocked_until end,
            case when g.blocked_until > p_at then g.blocked_until end
        )
    from headgate._window_at(p_provider, p_at) as b
    left join headgate.quota_windows as q
        on q.provider_id = p_provider.provider_id and q.opened_at = b.opened_at
    left join headgate.provider_gates as g on g.provider_id = p_provider.provider_id;
$func$;
