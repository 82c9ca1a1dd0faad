-- Chunks without calls of one step as one chunk with all of their jobs.

create or replace function headgate._folded(
    p_parts headgate.chunks[],
    p_asset_ids bigint[]
)
returns headgate.chunks
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks := p_parts[1];
    v_part headgate.chunks;
begin
    foreach v_part in array p_parts[2 :] loop
        if (v_part.execution_id, v_part.step, v_part.round, v_part.operation_id, v_part.attempt)
            is distinct from (v_chunk.execution_id, v_chunk.step, v_chunk.round, v_chunk.operation_id, v_chunk.attempt)
            or v_part.calls > 0
            or v_part.pool is distinct from v_chunk.pool
        then
            perform headgate._raise(
                'HG008', 'malformed report: its chunks cannot be handed in together',
                'hand in together only chunks without calls of one step, operation and attempt; nothing was changed'
            );
        end if;
        v_chunk.asset_ids := v_chunk.asset_ids || v_part.asset_ids;
        v_chunk.leased_until := least(v_chunk.leased_until, v_part.leased_until);
        v_chunk.planned_at := least(v_chunk.planned_at, v_part.planned_at);
        v_chunk.park_until := least(v_chunk.park_until, v_part.park_until);
        v_chunk.retry_count := greatest(v_chunk.retry_count, v_part.retry_count);
    end loop;
    if p_asset_ids is distinct from v_chunk.asset_ids then
        perform headgate._raise(
            'HG008', 'malformed report: several chunks have not the jobs that are reported',
            'report each job of the chunks once, chunk after chunk, or each chunk alone; nothing was changed'
        );
    end if;
    return v_chunk;
end;
$func$;
