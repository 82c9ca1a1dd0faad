-- Count what pages, metrics and analysts read but would take too long to count for each reader. One session counts at a
-- time, and the counts take at most a twentieth of its time.

create or replace function headgate.keep_counts()
returns table (has_counted boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_at constant timestamptz := headgate.clock();
    v_began constant timestamptz := clock_timestamp();
begin
    perform from headgate.count_times as t for update skip locked;
    has_counted := found and headgate._are_counts_due();
    if has_counted then
        delete from headgate.group_counts;
        insert into headgate.group_counts (
            operation_id, group_key, assets, fresh, stale, never, oldest_watermark, due, oldest_due_at
        )
        select
            g.operation_id, g.group_key, g.assets, g.fresh, g.stale, g.never, g.oldest_watermark, g.due, g.oldest_due_at
        from headgate._group_states as g;
        update headgate.count_times as t
        set counted_at = v_at,
            next_at = v_at + greatest(interval '1 minute', 20 * (clock_timestamp() - v_began));
        perform headgate._keep_hours(1000000);
    end if;
    return next;
end;
$func$;

comment on function headgate.keep_counts() is
    'Count what pages and metrics show, if it is time to; the heartbeat tells a runner when.';
