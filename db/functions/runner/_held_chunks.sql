-- Several chunks, locked in one order, if all tokens are current; otherwise HG012.

create or replace function headgate._held_chunks(
    p_runner text,
    p_chunk_ids bigint[],
    p_lease_nos integer[]
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_locked constant headgate.chunks[] := array(
        select c
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
        order by c.chunk_id
        for update
    );
    v_held constant headgate.chunks[] := array(
        select c
        from unnest(p_chunk_ids, p_lease_nos) with ordinality as u (chunk_id, lease_no, nth)
        join unnest(v_locked) as c using (chunk_id)
        where c.state = 'leased'
            and c.lease_no = u.lease_no
            and c.runner = p_runner
        order by u.nth
    );
begin
    if cardinality(v_held) < cardinality(p_chunk_ids) then
        perform headgate._raise(
            'HG012',
            format(
                '%s of %s leases are no longer held by %s', cardinality(p_chunk_ids) - cardinality(v_held),
                cardinality(p_chunk_ids), p_runner
            ),
            'hand in each chunk alone, and drop those that another runner has, or that have ended'
        );
    end if;
    return v_held;
end;
$func$;
