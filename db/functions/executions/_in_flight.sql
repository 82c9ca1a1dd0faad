create or replace function headgate._in_flight(
    p_execution_id bigint,
    p_step text default null,
    out queued integer,
    out running integer,
    out parked integer,
    out next_wake_at timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state in ('planned', 'queued')), 0),
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state = 'leased'), 0),
        coalesce(sum(cardinality(c.asset_ids)) filter (where c.state = 'parked'), 0),
        min(c.wake_at) filter (where c.waits_for_pool is null)
    from headgate.chunks as c
    where c.execution_id = p_execution_id
        and (p_step is null or c.step = p_step);
$func$;
