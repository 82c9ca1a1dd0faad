-- The quota window of a moment. Windows follow each other without gaps: an open one keeps its units until it ends or,
-- if the provider's calendar has changed meanwhile, until the first reset after that. Otherwise a change of zone would
-- open a second quota for the same hours.

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

-- The interval between two resets in the provider's calendar. A reset is the moment at which a local day (hour, month)
-- begins, whatever clocks do: if midnight does not exist, it is the moment of the change; if it occurs twice, it is one
-- of the two.
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
