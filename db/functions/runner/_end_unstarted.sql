-- The provider rejects this execution: all unstarted work of the execution with this provider ends. The caller returns
-- units.

create or replace function headgate._end_unstarted(
    p_chunk headgate.chunks,
    p_reason text,
    p_now timestamptz
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    return headgate._end_rows(
        array(
            select c.chunk_id
            from headgate.chunks as c
            where c.execution_id = p_chunk.execution_id
                and c.provider_id = p_chunk.provider_id
                and c.state <> 'leased'
                and c.chunk_id <> p_chunk.chunk_id
            order by c.chunk_id
            for update skip locked
        ),
        'deferred', p_reason, p_now
    );
end;
$func$;
