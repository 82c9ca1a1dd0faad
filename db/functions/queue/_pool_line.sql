-- Chunks that wait for a pool and could go on if it had room, in order, without those that are paused or whose provider
-- cannot be called.
create or replace function headgate._pool_line(
    p_pool text,
    p_now timestamptz
)
returns table (chunk_id bigint, pool_slots integer, wake_at timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id, c.pool_slots, c.wake_at
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    where c.waits_for_pool = p_pool
        and c.state = 'parked'
        and e.status = 'running'
        and not exists (
            select
            from headgate.breakers as b
            where (b.provider_id = c.provider_id or b.operation_id = c.call_operation_id)
                and b.blocked_until > p_now
        )
        and not exists (
            select
            from headgate.quota_windows as w
            where w.provider_id = c.provider_id
                and w.blocked_until > p_now
        )
    order by c.chunk_id;
$func$;
