-- Leases of running executions that expired at least a minute ago, at a provider that can be called.

create or replace function headgate._expired_leases()
returns table (chunk_id bigint)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select c.chunk_id
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    join headgate.providers as p using (provider_id)
    cross join lateral headgate._availability(p, headgate.clock()) as o
    where c.state = 'leased'
        and c.leased_until < clock_timestamp() - interval '1 minute'
        and e.status = 'running'
        and o.is_flowing
        and not headgate._is_blocked(c.call_operation_id, headgate.clock());
$func$;
