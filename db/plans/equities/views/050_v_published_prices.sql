-- Prices that passed the checks.

drop view if exists equities.v_published_prices cascade;

create view equities.v_published_prices as
with shown as (
    select a.code as ticker, a.asset_id, p.published_to, p.published_at
    from equities.publications as p
    join headgate.v_assets as a on a.universe = 'equities' and a.group_key = p.group_key
)
select
    s.ticker,
    t.asset_id,
    t.date,
    t.open,
    t.high,
    t.low,
    t.close,
    t.adjusted_close,
    t.volume
from shown as s
join equities.prices as t
    on t.asset_id = s.asset_id
    and t.date <= s.published_to
    and (t.known_from is null or t.known_from <= s.published_at)
where not exists (
    select
    from equities.corporate_actions as c
    where c.asset_id = t.asset_id
        and c.applied_at is null
        and c.ex_date <= t.date
)
union all
select
    s.ticker,
    r.asset_id,
    r.date,
    r.open,
    r.high,
    r.low,
    r.close,
    r.adjusted_close,
    r.volume
from shown as s
join equities.bar_revisions as r
    on r.asset_id = s.asset_id
    and r.date <= s.published_to
    and r.known_to > s.published_at
    and (r.known_from is null or r.known_from <= s.published_at)
where not exists (
    select
    from equities.corporate_actions as c
    where c.asset_id = r.asset_id
        and c.applied_at is null
        and c.ex_date <= r.date
);

comment on view equities.v_published_prices is
    'Daily bars of the sessions that passed the checks, as they were known when they were published.';
comment on column equities.v_published_prices.ticker is 'The listing''s code, e.g. AAPL.US.';
comment on column equities.v_published_prices.asset_id is 'The listing.';
comment on column equities.v_published_prices.date is 'The session.';
comment on column equities.v_published_prices.open is 'First price, as traded.';
comment on column equities.v_published_prices.high is 'Highest price, as traded.';
comment on column equities.v_published_prices.low is 'Lowest price, as traded.';
comment on column equities.v_published_prices.close is 'Last price, as traded.';
comment on column equities.v_published_prices.adjusted_close is 'Last price, adjusted for splits and dividends.';
comment on column equities.v_published_prices.volume is 'Shares traded, adjusted for splits.';
