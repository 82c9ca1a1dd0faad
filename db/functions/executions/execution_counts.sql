-- Like headgate.execution_status, but read-only: it does not sweep.

create or replace function headgate.execution_counts(
    p_pipeline text,
    p_run_id text
)
returns table (
    status text, planned integer, queued integer, running integer, parked integer,
    succeeded integer, failed integer, deferred integer, skipped integer, next_wake_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        e.status, s.planned, f.queued, f.running, f.parked, s.succeeded, s.failed, s.deferred, s.skipped, f.next_wake_at
    from headgate._execution(p_pipeline, p_run_id) as e
    cross join lateral headgate._totals(e.execution_id) as s
    cross join lateral headgate._in_flight(e.execution_id) as f;
$func$;

comment on function headgate.execution_counts(text, text) is
    'The status of an execution, in jobs; read-only, so readers may call it.';
