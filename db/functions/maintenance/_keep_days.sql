-- Keep what trends are made of: how the groups stand today, and the hours of days that are over. A second call on a day
-- notes the groups again and adds no hour twice. A transaction may be as old as the runners' limit when it commits, so
-- a day counts as over an hour later.

create or replace function headgate._keep_days()
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.state_days as s (
        day, operation_id, group_key, assets, fresh, stale, never, oldest_watermark, due, oldest_due_at, noted_at
    )
    select
        (t.now at time zone 'UTC')::date, g.operation_id, g.group_key, g.assets, g.fresh, g.stale, g.never,
        g.oldest_watermark, g.due, g.oldest_due_at, t.now
    from headgate._group_states as g
    cross join (select headgate.clock() as now offset 0) as t
    on conflict (day, operation_id, group_key) do update
    set assets = excluded.assets,
        fresh = excluded.fresh,
        stale = excluded.stale,
        never = excluded.never,
        oldest_watermark = excluded.oldest_watermark,
        due = excluded.due,
        oldest_due_at = excluded.oldest_due_at,
        noted_at = excluded.noted_at;

    insert into headgate.job_hours (
        hour, pipeline_id, operation_id, status, jobs, cached, records, calls, units, p50_seconds, p95_seconds
    )
    select
        n.hour, n.pipeline_id, n.operation_id, n.status, n.jobs, n.cached, n.records, n.calls, n.units, n.p50_seconds,
        n.p95_seconds
    from headgate._open_hours as n
    where n.hour < date_trunc('day', headgate.clock() - interval '1 hour', 'UTC')
    on conflict do nothing;
$func$;
