-- What holds back vacuuming of the queues, and its effect. Shows the age of other users' transactions but never their
-- content, so that a dashboard may read it. Uses real time.

create or replace function headgate.database_health()
returns table (measure text, value numeric, threshold numeric, verdict text, advice text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        m.measure,
        round(m.value, 1),
        m.threshold,
        case when m.value is null then 'unknown' when m.value > m.threshold then 'warn' else 'ok' end,
        m.advice
    from (
        select t.* from headgate._transaction_measures() as t
        union all
        select r.* from headgate._row_measures() as r
    ) as m;
$func$;

comment on function headgate.database_health() is
    'Causes and effects of delayed vacuuming of the queues, with thresholds; shown by v_database_health.';

-- Transactions, connections and horizons. Null if the owner may not see other users' transactions.
create or replace function headgate._transaction_measures()
returns table (measure text, value numeric, threshold numeric, advice text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with session as materialized (
        select
            extract(epoch from clock_timestamp() - a.xact_start) as seconds,
            extract(epoch from clock_timestamp() - a.state_change) as unchanged,
            age(a.backend_xmin) as xmin_age,
            a.state,
            a.wait_event_type
        from pg_stat_activity as a
        where a.pid <> pg_backend_pid()
            and coalesce(a.datname, current_database()) = current_database()
            and a.backend_type in ('client backend', 'walsender', 'parallel worker')
            and pg_has_role(current_user, 'pg_read_all_stats', 'usage')
    ),
    slot as materialized (
        select greatest(age(s.xmin), age(s.catalog_xmin)) as xmin_age, s.active, s.slot_name
        from pg_replication_slots as s
    ),
    prepared as materialized (
        select age(p.transaction) as xmin_age from pg_prepared_xacts as p where p.database = current_database()
    ),
    known as (
        select case when pg_has_role(current_user, 'pg_read_all_stats', 'usage') then 0 end as nothing
    )
    select v.*
    from known as k
    cross join lateral (values
        (
            'oldest_xmin_transactions',
            greatest(
                k.nothing, (select max(s.xmin_age) from session as s), (select max(s.xmin_age) from slot as s),
                (select max(p.xmin_age) from prepared as p)
            )::numeric + k.nothing,
            100000,
            'end what is old: pg_stat_activity by backend_xmin, pg_replication_slots, pg_prepared_xacts'
        ),
        (
            'longest_transaction_seconds',
            (select coalesce(max(s.seconds), 0) from session as s) + k.nothing,
            120,
            'find it by xact_start in pg_stat_activity; end it with pg_terminate_backend(pid), and give its role '
            'time limits'
        ),
        (
            'idle_in_transaction',
            (select count(*) from session as s where s.state like 'idle in%' and s.unchanged > 60) + k.nothing,
            0,
            'sessions that wait inside a transaction: give their roles an idle_in_transaction_session_timeout'
        ),
        (
            'waiting_for_locks',
            (select count(*) from session as s where s.wait_event_type = 'Lock' and s.unchanged > 10) + k.nothing,
            0,
            'pg_blocking_pids(pid) names the blocking sessions'
        ),
        (
            'prepared_transactions',
            (select count(*) from prepared),
            0,
            'run commit prepared or rollback prepared: until then they hold back the xmin horizon'
        ),
        (
            'idle_replication_slots',
            (
                select count(*)
                from slot as s
                where not s.active
                    and s.xmin_age is not null
                    and s.slot_name not like headgate._slot_name('%')  -- they are in headgate.v_changes
            ),
            0,
            'drop it with pg_drop_replication_slot if its consumer will not return'
        ),
        (
            'connections_percent',
            (select 100.0 * count(*) from pg_stat_activity as a where a.backend_type = 'client backend')
                / current_setting('max_connections')::integer,
            80,
            'run fewer runners, put a connection pooler in front, or raise max_connections'
        ),
        (
            'wraparound_percent',
            (
                select 100.0 * age(d.datfrozenxid) / 2147483647
                from pg_database as d
                where d.datname = current_database()
            ),
            50,
            'vacuum the database; find out what keeps autovacuum from it'
        )
    ) as v (measure, value, threshold, advice);
$func$;

-- Dead rows and bloat of high-churn tables, and history in the default partition.
create or replace function headgate._row_measures()
returns table (measure text, value numeric, threshold numeric, advice text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with queue as materialized (
        select
            coalesce(sum(s.n_dead_tup), 0) as dead,
            coalesce(sum(s.n_live_tup), 0) as live,
            coalesce(sum(pg_total_relation_size(s.relid)), 0) as bytes
        from pg_stat_user_tables as s
        where s.schemaname = 'pgmq'
            and s.relname like 'q\_%'
    )
    select v.*
    from queue as q
    cross join lateral (values
        (
            'dead_rows_in_queues', q.dead, 100000,
            'end what holds the xmin horizon (oldest_xmin_transactions); autovacuum does the rest'
        ),
        (
            'queue_bloat_megabytes', greatest(0, q.bytes - 400 * q.live) / 1048576.0, 256,
            'when the queue is empty, run vacuum full pgmq.q_<queue> (it locks the queue briefly)'
        ),
        (
            'dead_rows_in_chunks',
            (select s.n_dead_tup from pg_stat_user_tables as s where s.relid = 'headgate.chunks'::regclass), 50000,
            'end what holds the xmin horizon, then run vacuum headgate.chunks'
        ),
        (
            'dead_rows_in_state_percent',
            (
                select 100.0 * greatest(0, s.n_dead_tup - 20000) / greatest(1, s.n_live_tup + s.n_dead_tup)
                from pg_stat_user_tables as s
                where s.relid = 'headgate.asset_processing_state'::regclass
            ), 20,
            'end what holds the xmin horizon, then run vacuum headgate.asset_processing_state'
        ),
        (
            'history_outside_its_months',
            (
                select s.n_live_tup
                from pg_stat_user_tables as s
                where s.relid = 'headgate.asset_processing_details_default'::regclass
            ), 0,
            'headgate.retain creates the monthly partitions: call it at least once a month'
        )
    ) as v (measure, value, threshold, advice);
$func$;
