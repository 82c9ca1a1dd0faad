-- A provider's quota windows, in the provider's own calendar.

-- The window of a moment. Windows tile time: one that is open keeps its units until it ends, and where the provider's calendar has
-- changed meanwhile, until the first reset after that. Otherwise a change of zone would open a second quota in the same hours.
create or replace function headgate._window_at(
    p_provider headgate.providers,
    p_at timestamptz,
    out opened_at timestamptz,
    out closes_at timestamptz
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_open headgate.quota_windows;
begin
    select * into v_open
    from headgate.quota_windows as w
    where w.provider_id = p_provider.provider_id
        and w.opened_at <= p_at
    order by w.opened_at desc
    limit 1;
    if v_open.closes_at > p_at and v_open.calendar = headgate._calendar_of(p_provider) then
        opened_at := v_open.opened_at;
        closes_at := v_open.closes_at;
        return;
    end if;

    select c.opened_at, c.closes_at into opened_at, closes_at from headgate._calendar_window(p_provider, p_at) as c;
    if v_open.closes_at > opened_at and v_open.opened_at <> opened_at then
        opened_at := v_open.opened_at;
        select case when c.opened_at = v_open.closes_at then v_open.closes_at else c.closes_at end
        into closes_at
        from headgate._calendar_window(p_provider, v_open.closes_at) as c;
    end if;
end;
$func$;

-- By what a provider's windows are found.
create or replace function headgate._calendar_of(p_provider headgate.providers)
returns text
language sql
immutable
as $func$
    select p_provider.quota_period || ' ' || p_provider.quota_zone;
$func$;

-- The provider's own calendar, between two of its resets. A reset is the moment at which a local day (hour, month) begins, whatever
-- clocks do at that time: where midnight does not exist it is the moment of the jump, where it comes twice it is one of the two.
create or replace function headgate._calendar_window(
    p_provider headgate.providers,
    p_at timestamptz,
    out opened_at timestamptz,
    out closes_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select max(r.at) filter (where r.at <= p_at), min(r.at) filter (where r.at > p_at)
    from generate_series(-3, 3) as n
    cross join lateral (
        select case p_provider.quota_period
            when 'minute' then date_trunc('minute', p_at) + n * interval '1 minute'
            else (
                date_trunc(p_provider.quota_period, p_at at time zone p_provider.quota_zone)
                + n * ('1 ' || p_provider.quota_period)::interval
            ) at time zone p_provider.quota_zone
        end as at
    ) as r;
$func$;

-- Open the provider's current window if it is missing, and keep its end up to date. Nothing to open where there is no quota.
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
