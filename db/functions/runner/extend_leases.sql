create or replace function headgate.extend_leases(
    p_runner text,
    p_chunk_ids bigint[],
    p_lease_nos integer[]
)
returns table (chunk_id bigint, lease_no integer, lease_seconds integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_held headgate.chunks[];
    v_chunk headgate.chunks;
begin
    v_held := array(
        select c
        from unnest(p_chunk_ids, p_lease_nos) as u (chunk_id, lease_no)
        join headgate.chunks as c using (chunk_id)
        where c.lease_no = u.lease_no
            and c.state = 'leased'
            and c.runner = p_runner
        order by c.chunk_id
        for update of c
    );
    perform headgate._lock_pools(v_held);
    for v_chunk in
        update headgate.chunks as c
        set leased_until = clock_timestamp() + o.lease
        from headgate.operations as o
        where c.chunk_id = any (array(select h.chunk_id from unnest(v_held) as h))
            and o.operation_id = c.call_operation_id
            and (c.pool is null or c.leased_until > clock_timestamp())  -- its slots may be another's
        returning c.*
    loop
        perform pgmq.set_vt(v_chunk.queue, v_chunk.msg_id, v_chunk.leased_until);
        chunk_id := v_chunk.chunk_id;
        lease_no := v_chunk.lease_no;
        lease_seconds := floor(extract(epoch from v_chunk.leased_until - clock_timestamp()));
        return next;
    end loop;
end;
$func$;

comment on function headgate.extend_leases(text, bigint[], integer[]) is
    'Extend leases by another term; the lease of a chunk missing from the result is lost.';
