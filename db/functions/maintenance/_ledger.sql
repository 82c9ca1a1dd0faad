create or replace function headgate._ledger(p_now timestamptz)
returns table (
    provider_id bigint, opened_at timestamptz, reserved integer, spent integer, promised integer, at_least integer,
    at_most integer
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        w.provider_id, w.opened_at, w.reserved, w.spent, c.promised,
        (d.sure + c.leased)::integer, (d.units + c.leased + c.carried)::integer
    from headgate.quota_windows as w
    cross join lateral (
        select
            coalesce(
                sum(c.units) filter (where c.state <> 'leased' and c.window_opened_at = w.opened_at), 0
            )::integer as promised,
            coalesce(sum(c.units) filter (where c.state = 'leased' and c.window_opened_at = w.opened_at), 0) as leased,
            coalesce(sum(c.charged_units * cardinality(c.asset_ids)), 0) as carried
        from headgate.chunks as c
        where c.provider_id = w.provider_id
    ) as c
    cross join lateral (
        select
            coalesce(sum(d.units), 0) as units,
            coalesce(sum(d.units) filter (
                where d.attempts <= 1
                    and d.ended_at >= w.opened_at + least(interval '1 hour', (w.closes_at - w.opened_at) / 2)
            ), 0) as sure
        from headgate.asset_processing_details as d
        join headgate.operations as o using (operation_id)
        where o.provider_id = w.provider_id
            and d.ended_at >= w.opened_at
            and d.ended_at < w.closes_at
    ) as d
    where w.opened_at <= p_now
        and w.closes_at > p_now;
$func$;
