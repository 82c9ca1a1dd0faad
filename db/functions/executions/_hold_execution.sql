-- Locks all chunks, then their pairs, then the execution, before any of its steps: a session that holds a step may
-- already wait for the execution.

create or replace function headgate._hold_execution(p_execution_id bigint)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks headgate.chunks[] := '{}';
    v_more headgate.chunks[];
begin
    loop  -- a completion we wait for may park jobs in new chunks
        v_more := array(
            select c
            from headgate.chunks as c
            where c.execution_id = p_execution_id
                and c.chunk_id <> all (array(select u.chunk_id from unnest(v_chunks) as u))
            order by c.chunk_id
            for update
        );
        exit when v_more = '{}';
        v_chunks := v_chunks || v_more;
    end loop;
    perform headgate._locked_pairs(v_chunks);
    perform from headgate.process_executions as e where e.execution_id = p_execution_id for update;
    return v_chunks;
end;
$func$;
