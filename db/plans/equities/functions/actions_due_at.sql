-- The due rule of splits_bulk and dividends_bulk. Their asset is one session of one exchange (universe equities_days),
-- so that missed days are caught up together: it is due once, when its data are published. What was published before
-- the exchange's first history was loaded is part of that history.

create or replace function equities.actions_due_at(
    p_asset_id bigint,
    p_watermark timestamptz,
    p_now timestamptz
)
returns timestamptz
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select o.published_at
    from headgate.v_assets as a
    cross join lateral (
        select headgate.published_at('eodhd', a.calendar, (a.attributes ->> 'session')::date) as published_at
    ) as o
    where a.asset_id = p_asset_id
        and p_watermark is null
        and not exists (
            select
            from headgate.v_assets as e
            where e.universe = 'equities_exchanges'
                and e.group_key = a.group_key
                and (e.attributes ->> 'watched_since')::timestamptz >= o.published_at
        );
$func$;

comment on function equities.actions_due_at(bigint, timestamptz, timestamptz) is
    'When the splits and dividends of an exchange''s session are due: once, when its data are published.';
