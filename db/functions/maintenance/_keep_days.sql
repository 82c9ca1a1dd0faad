-- Note how the groups stand today, of which trends are made. A second call on a day notes them again.

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
$func$;
