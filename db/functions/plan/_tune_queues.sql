-- A queue's rows live for seconds and change twice: when read and when deleted. With room in the page and without the
-- index on vt (which pgmq's read cannot use, because it compares with a volatile clock) the first change touches no
-- index, which halves the WAL; and vacuum starts at a number of dead rows, not at a share of a table that is mostly
-- empty.

create or replace function headgate._tune_queues()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_queue record;
begin
    for v_queue in
        select 'q_' || m.queue_name as name
        from pgmq.meta as m
        join headgate.providers as p
            on m.queue_name in (p.name || '_high', p.name || '_normal', p.name || '_low')
        join pg_class as c on c.oid = to_regclass(format('pgmq.%I', 'q_' || m.queue_name))
        where c.reloptions is null or not c.reloptions @> array['fillfactor=50', 'autovacuum_vacuum_threshold=5000']
    loop
        execute format(
            'alter table pgmq.%I set (
                fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
                autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_threshold = 100000,
                autovacuum_vacuum_insert_scale_factor = 0,
                autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
            )', v_queue.name
        );
        execute format('drop index if exists pgmq.%I', v_queue.name || '_vt_idx');
    end loop;
end;
$func$;
