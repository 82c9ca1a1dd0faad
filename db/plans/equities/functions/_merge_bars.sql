-- Writes what many answers change, in one statement: its parts share the comparison, and unchanged bars write nothing.
--
-- New bars are a plain insert, because `on conflict` doubles its cost. If a key may exist already (two chunks may bring
-- the same bar at once after a reset), the caller repeats the call with p_carefully, and every bar becomes an upsert.

create or replace function equities._merge_bars(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[],
    p_carefully boolean,
    p_is_history boolean
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
begin
    return query
    with changes as materialized (
        select c.* from equities._bar_changes(p_asset_ids, p_payloads, v_now, p_is_history) as c
    ),
    others as materialized (  -- few, if any
        select c.* from changes as c where c.kind <> 'new'
    ),
    inserted as (
        insert into equities.prices (asset_id, date, open, high, low, close, adjusted_close, volume, known_from)
        select c.asset_id, c.date, c.open, c.high, c.low, c.close, c.adjusted_close, c.volume::bigint, c.known_from
        from changes as c
        where c.kind = 'new'
            and not p_carefully
    ),
    replaced as (
        insert into equities.prices as t (asset_id, date, open, high, low, close, adjusted_close, volume, known_from)
        select c.asset_id, c.date, c.open, c.high, c.low, c.close, c.adjusted_close, c.volume::bigint, c.known_from
        from (
            select o.* from others as o where o.kind in ('changed', 'readjusted')
            union all
            select n.* from changes as n where n.kind = 'new' and p_carefully
        ) as c
        on conflict (asset_id, date) do update
        set (open, high, low, close, adjusted_close, volume, known_from) = (
            excluded.open, excluded.high, excluded.low, excluded.close, excluded.adjusted_close, excluded.volume,
            excluded.known_from
        )
    ),
    removed as (
        delete from equities.prices as t
        using others as c
        where c.kind = 'lost'
            and t.asset_id = c.asset_id
            and t.date = c.date
    ),
    revised as (
        insert into equities.bar_revisions (
            asset_id, date, known_to, known_from, open, high, low, close, adjusted_close, volume, run_id
        )
        select
            t.asset_id, t.date, v_now, t.known_from, t.open, t.high, t.low, t.close, t.adjusted_close, t.volume,
            p_context ->> 'run_id'
        from others as c
        cross join lateral (
            select t.* from equities.prices as t where t.asset_id = c.asset_id and t.date = c.date offset 0
        ) as t
        where c.kind in ('changed', 'lost')
        on conflict do nothing
    ),
    kept_apart as (
        insert into equities.prices_quarantine as q (
            asset_id, date, open, high, low, close, adjusted_close, volume, reason, run_id, seen_at
        )
        select
            c.asset_id, c.date, c.open, c.high, c.low, c.close, c.adjusted_close, c.volume, c.fault,
            p_context ->> 'run_id', v_now
        from others as c
        where c.kind = 'doubted'
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
        where q.asset_id = any (p_asset_ids)
            and (q.asset_id, q.date) in (select c.asset_id, c.date from changes as c where c.kind = 'new')
    ),
    counts as (
        select
            c.asset_id,
            count(*) filter (where c.kind not in ('doubted', 'answer'))::integer as records,
            count(*) filter (where c.kind = 'lost')::integer as lost
        from changes as c
        group by c.asset_id
    ),
    reloaded as (
        insert into equities.history_reloads (asset_id, reloaded_at, bars_changed, bars_lost, run_id)
        select a.asset_id, v_now, n.records - n.lost, n.lost, p_context ->> 'run_id'
        from others as a
        join counts as n using (asset_id)
        where a.kind = 'answer' and a.is_restated and a.fault is null and p_is_history
        on conflict do nothing
    )
    select
        u.asset_id,
        case
            when u.is_missing or a.fault is not null then 'failed'
            when a.is_restated and not p_is_history then 'skipped'
            else 'success'
        end,
        coalesce(n.records, 0),
        case when a.fault is null and (p_is_history or not a.is_restated) then a.date::timestamp at time zone 'UTC' end,
        case
            when u.is_missing then 'no answer'
            when a.asset_id is null then 'the provider has no bars'
            when a.fault is not null then a.fault
            when a.is_restated and not p_is_history then 'its history was restated: it is loaded again in full'
            when a.doubted > 0 then format('%s of its bars are implausible', a.doubted)
        end
    from (
        select i.asset_id, p_payloads[i.nth] is null as is_missing
        from unnest(p_asset_ids) with ordinality as i (asset_id, nth)
    ) as u
    left join others as a on a.asset_id = u.asset_id and a.kind = 'answer'
    left join counts as n on n.asset_id = u.asset_id;
end;
$func$;

comment on function equities._merge_bars(jsonb, bigint[], text[], boolean, boolean) is
    'Write what many answers change into prices, bar_revisions and prices_quarantine; raises if an answer cannot be '
    'read.';
