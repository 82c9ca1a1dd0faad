-- Input of the indicators: adjusted bars of ten years, the oldest first. Ten years are enough for every recursive
-- average (EMA 200 starts to forget after 600 bars) and bound the cost of a long history.
--
-- Sorting inside array_agg would take twice as long as building the array, so bars are read in key order: each
-- partition by its index, the partitions by year. Fewer arrays are cheaper, so prices are adjusted here, and a count of
-- recent bars replaces the dates.

create or replace function equities.bars_for_indicators(
    p_context jsonb,
    p_asset_ids bigint[]
)
returns table (
    asset_id bigint,
    date date,
    last_close double precision,
    bars_52w integer,
    high double precision[],
    low double precision[],
    close double precision[],
    volume double precision[]
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_bitmapscan = off
set enable_seqscan = off
set enable_sort = off
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_today constant date := (coalesce((p_context ->> 'now')::timestamptz, headgate.clock()) at time zone 'UTC')::date;
    v_since constant date := (v_today - interval '10 years')::date;
begin
    return query
    select a.asset_id, l.date, l.close, b.bars_52w::integer, b.high, b.low, b.close, b.volume
    from unnest(p_asset_ids) as a (asset_id)
    cross join lateral (
        select p.date, p.close
        from equities.prices as p
        where p.asset_id = a.asset_id and p.date > v_since
        order by p.date desc
        limit 1
    ) as l
    cross join lateral (
        select
            count(*) filter (where p.date > l.date - 364) as bars_52w,
            array_agg(p.high * p.factor) as high,
            array_agg(p.low * p.factor) as low,
            array_agg(p.adjusted_close) as close,
            array_agg(p.volume::double precision) as volume
        from (
            select p.date, p.high, p.low, p.adjusted_close, p.volume, p.adjusted_close / p.close as factor
            from equities.prices as p
            where p.asset_id = a.asset_id and p.date > v_since
            order by p.date
        ) as p
    ) as b;
end;
$func$;

comment on function equities.bars_for_indicators(jsonb, bigint[]) is
    'Input function of indicators_calculation: the adjusted bars of ten years of each listing, the oldest first.';
