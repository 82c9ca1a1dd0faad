-- Judges and writes the bars of many answers in one statement. Each answer spans one range of dates, and only that
-- range is compared with what is stored: unchanged bars write nothing, and the cost does not grow with the history.
--
-- New bars are a plain insert, because `on conflict` doubles its cost. Where a key may be taken already (two chunks may
-- bring the same bar at once, after a reset) the caller asks again carefully, and then every bar is an upsert.
--
-- One long statement, because its parts share the bars: no temporary table, no second reading. A merge join would only
-- sort, since nothing comes in order; and with 38 partitions it pays to plan once.

create or replace function equities._merge_bars(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[],
    p_carefully boolean
)
returns setof headgate.ingest_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set work_mem = '64MB'
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
    v_today constant date := (v_now at time zone 'UTC')::date;
begin
    return query
    with bars as materialized (
        -- The planner takes a boolean to be true half of the time, but `fault is null` hardly ever.
        select b.*, b.fault is null as is_sound
        from equities._judged_bars(p_asset_ids, p_payloads, v_today) as b
    ),
    spans as materialized (
        select
            b.asset_id,
            min(b.date) as first_date,
            max(b.date) as last_date,
            count(b.fault) as doubted,
            case
                when max(b.warning) is not null then 'the provider cut the history: ' || left(max(b.warning), 200)
                when count(b.date) < count(*) then 'a bar has no readable date'
            end as fault
        from bars as b
        group by b.asset_id
    ),
    stored as materialized (
        select t.*
        from spans as p
        cross join lateral (
            select t.*
            from equities.prices as t
            where t.asset_id = p.asset_id and t.date between p.first_date and p.last_date
            offset 0
        ) as t
        where p.fault is null
    ),
    quarantined as materialized (
        select q.*
        from spans as p
        cross join lateral (
            select q.asset_id, q.date
            from equities.prices_quarantine as q
            where q.asset_id = p.asset_id and q.date between p.first_date and p.last_date
            offset 0
        ) as q
        where p.fault is null
    ),
    believed as materialized (
        select
            b.asset_id, b.date, b.open, b.high, b.low, b.close, b.adjusted_close, b.volume::bigint as volume,
            t.asset_id is null and not p_carefully as is_new
        from bars as b
        left join stored as t using (asset_id, date)
        where b.is_sound
            and b.asset_id <> all (array(select p.asset_id from spans as p where p.fault is not null))
            and (
                t.asset_id is null
                or (t.open, t.high, t.low, t.close, t.adjusted_close, t.volume)
                    is distinct from (b.open, b.high, b.low, b.close, b.adjusted_close, b.volume::bigint)
            )
    ),
    doubted as (
        select b.*
        from bars as b
        where not b.is_sound
            and b.asset_id <> all (array(select p.asset_id from spans as p where p.fault is not null))
            and not exists (select from stored as t where t.asset_id = b.asset_id and t.date = b.date)
            and not exists (select from believed as g where g.asset_id = b.asset_id and g.date = b.date)
    ),
    inserted as (
        insert into equities.prices (asset_id, date, open, high, low, close, adjusted_close, volume)
        select b.asset_id, b.date, b.open, b.high, b.low, b.close, b.adjusted_close, b.volume
        from believed as b
        where b.is_new
    ),
    replaced as (
        insert into equities.prices as t (asset_id, date, open, high, low, close, adjusted_close, volume)
        select b.asset_id, b.date, b.open, b.high, b.low, b.close, b.adjusted_close, b.volume
        from believed as b
        where not b.is_new
        on conflict (asset_id, date) do update
        set (open, high, low, close, adjusted_close, volume) = (
            excluded.open, excluded.high, excluded.low, excluded.close, excluded.adjusted_close, excluded.volume
        )
    ),
    kept_apart as (
        insert into equities.prices_quarantine as q (
            asset_id, date, open, high, low, close, adjusted_close, volume, reason, run_id, seen_at
        )
        select
            d.asset_id, d.date, d.open, d.high, d.low, d.close, d.adjusted_close, d.volume, d.fault,
            p_context ->> 'run_id', v_now
        from doubted as d
        on conflict (asset_id, date) do update
        set (open, high, low, close, adjusted_close, volume, reason, run_id, seen_at) = (
            excluded.open, excluded.high, excluded.low, excluded.close, excluded.adjusted_close, excluded.volume,
            excluded.reason, excluded.run_id, excluded.seen_at
        )
        where (q.open, q.high, q.low, q.close, q.adjusted_close, q.volume, q.reason) is distinct from (
            excluded.open, excluded.high, excluded.low, excluded.close, excluded.adjusted_close, excluded.volume,
            excluded.reason
        )
    ),
    released as (
        delete from equities.prices_quarantine as q
        using quarantined as o
        join believed as b using (asset_id, date)
        where q.asset_id = o.asset_id
            and q.date = o.date
    ),
    changes as (
        select b.asset_id, count(*)::integer as records
        from believed as b
        group by b.asset_id
    )
    select
        a.asset_id,
        case when a.payload is null or p.fault is not null then 'failed' else 'success' end,
        coalesce(c.records, 0),
        case
            when p.fault is not null then null
            when p.last_date <= v_today then p.last_date
            else (select max(b.date) from bars as b where b.asset_id = a.asset_id and b.date <= v_today)
        end::timestamp at time zone 'UTC',
        case
            when a.payload is null then 'no answer'
            when p.asset_id is null then 'the provider has no bars'
            when p.fault is not null then p.fault
            when p.doubted > 0 then format('%s of its bars not believed', p.doubted)
        end
    from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
    left join spans as p using (asset_id)
    left join changes as c using (asset_id);
end;
$func$;

comment on function equities._merge_bars(jsonb, bigint[], text[], boolean) is
    'Write the bars of many answers into prices and prices_quarantine; raises when an answer cannot be read.';
