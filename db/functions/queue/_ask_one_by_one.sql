-- A bulk call whose lease expired twice is replaced by single calls for its assets. The new chunks are parked and wake
-- at once, so that the sweep reserves their units. The first asset keeps the cost of the leases.

create or replace function headgate._ask_one_by_one(
    p_chunk headgate.chunks,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_operation headgate.operations;
begin
    select * into v_operation
    from headgate.operations as o
    where o.operation_id = p_chunk.operation_id;
    perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
    with piece as (
        select
            p_chunk.asset_ids[1 : 1] as asset_ids,
            headgate._unit_price(p_chunk) + p_chunk.charged_units as charged_units,
            p_chunk.request_count + 1 as request_count
        union all
        select p_chunk.asset_ids[n.first : n.first + v_operation.chunk_size - 1], 0, 0
        from generate_series(2, cardinality(p_chunk.asset_ids), v_operation.chunk_size) as n (first)
    ),
    pieces as (
        insert into headgate.chunks (
            execution_id, step, round, operation_id, call_operation_id, provider_id, group_key, priority, asset_ids,
            calls, units, queue, state, wake_at, park_until, park_reason, attempt, charged_units,
            request_count, planned_at
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.operation_id,
            v_operation.provider_id, p_chunk.group_key, p_chunk.priority, p.asset_ids,
            case when not v_operation.is_call then 0 else cardinality(p.asset_ids) end,
            v_operation.units * cardinality(p.asset_ids), headgate._queue(r.name, v_operation.priority),
            'parked', p_now, coalesce(p_chunk.park_until, p_now + v_operation.max_wait),
            'internal: the lease of the bulk call expired twice', p_chunk.attempt, p.charged_units,
            p.request_count,
            p_chunk.planned_at
        from piece as p
        join headgate.providers as r on r.provider_id = v_operation.provider_id
        returning chunk_id, asset_ids
    )
    update headgate.asset_processing_state as s
    set chunk_id = n.chunk_id,
        bulk_missed_at = p_now
    from (select p.chunk_id, u.asset_id from pieces as p cross join unnest(p.asset_ids) as u (asset_id)) as n
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = n.asset_id;
    delete from headgate.chunks as c where c.chunk_id = p_chunk.chunk_id;
end;
$func$;
