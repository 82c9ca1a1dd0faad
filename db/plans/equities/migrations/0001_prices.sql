-- Daily bars, by year, and the bars that were not believed.

comment on schema equities is 'Listed equities: their daily bars and their fundamentals.';

create table equities.prices (
    asset_id bigint not null,
    date date not null,
    open double precision not null,
    high double precision not null,
    low double precision not null,
    close double precision not null,
    adjusted_close double precision not null,
    volume bigint not null,
    constraint prices_pkey primary key (asset_id, date),
    constraint high_is_not_below_low check (high >= low),
    constraint open_is_between_low_and_high check (open between low and high),
    constraint close_is_between_low_and_high check (close between low and high),
    constraint prices_are_positive check (least(low, adjusted_close) > 0),
    constraint prices_are_finite check (greatest(high, adjusted_close) < 'infinity'),
    constraint volume_is_positive check (volume > 0)
) partition by range (date);

comment on table equities.prices is 'Daily bars of listings. A bar that was not believed stands in prices_quarantine instead.';
comment on column equities.prices.asset_id is 'The listing, as in headgate.v_assets.';
comment on column equities.prices.date is 'The session.';
comment on column equities.prices.open is 'First price, as traded.';
comment on column equities.prices.high is 'Highest price, as traded.';
comment on column equities.prices.low is 'Lowest price, as traded.';
comment on column equities.prices.close is 'Last price, as traded.';
comment on column equities.prices.adjusted_close is 'Last price, adjusted for splits and dividends as known when it was fetched.';
comment on column equities.prices.volume is 'Shares traded, adjusted for splits.';

-- Few old bars are asked for by date, so all before 2000 share one partition: planning time grows with their number.
do $partitions$
declare
    v_year integer;
begin
    create table equities.prices_before_2000 partition of equities.prices for values from (minvalue) to ('2000-01-01');
    comment on table equities.prices_before_2000 is 'Bars before 2000.';
    for v_year in 2000..2035 loop
        execute format(
            'create table equities.%I partition of equities.prices for values from (%L) to (%L)',
            'prices_' || v_year, make_date(v_year, 1, 1), make_date(v_year + 1, 1, 1)
        );
        execute format('comment on table equities.%I is %L', 'prices_' || v_year, format('Bars of %s.', v_year));
    end loop;
    create table equities.prices_default partition of equities.prices default;
    comment on table equities.prices_default is 'Bars of years that have no partition of their own yet.';
end;
$partitions$;

create table equities.prices_quarantine (
    asset_id bigint not null,
    date date not null,
    open double precision,
    high double precision,
    low double precision,
    close double precision,
    adjusted_close double precision,
    volume double precision,
    reason text not null,
    run_id text,
    seen_at timestamptz not null,
    constraint prices_quarantine_pkey primary key (asset_id, date)
);

comment on table equities.prices_quarantine is
    'Bars that were not believed. A date of a listing stands here or in prices, never in both; a believed price stays.';
comment on column equities.prices_quarantine.asset_id is 'The listing.';
comment on column equities.prices_quarantine.date is 'The date it came with.';
comment on column equities.prices_quarantine.open is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.high is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.low is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.close is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.adjusted_close is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.volume is 'As received; null: missing or unreadable.';
comment on column equities.prices_quarantine.reason is 'All that is wrong with it.';
comment on column equities.prices_quarantine.run_id is 'The run that brought it as it is here.';
comment on column equities.prices_quarantine.seen_at is 'When that was.';
