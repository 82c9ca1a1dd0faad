-- The chunk, locked, if the token is current; otherwise HG012.

create or replace function headgate._held_chunk(
    p_runner text,
    p_chunk_id bigint,
    p_lease_no integer
)
returns headgate.chunks
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks;
begin
    select * into v_chunk from headgate.chunks as c where c.chunk_id = p_chunk_id for update;
    if not found or v_chunk.state <> 'leased' or v_chunk.lease_no <> p_lease_no or v_chunk.runner <> p_runner then
        perform headgate._raise(
            'HG012',
            format('lease %s of chunk %s is no longer held by %s', p_lease_no, p_chunk_id, p_runner),
            'drop this work: another runner has it, or it has ended'
        );
    end if;

    return v_chunk;
end;
$func$;
