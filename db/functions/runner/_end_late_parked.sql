-- Jobs parked while their execution or step is cancelled end too: nothing would wake them.

create or replace function headgate._end_late_parked(
    p_chunk headgate.chunks,
    p_asset_ids bigint[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform from headgate.process_executions as e where e.execution_id = p_chunk.execution_id for key share;
    if headgate._standing(p_chunk) = 'step_ended' then
        perform headgate._end_chunks(
            array(
                select c.chunk_id
                from headgate.chunks as c
                where c.execution_id = p_chunk.execution_id
                    and c.step = p_chunk.step
                    and c.operation_id = p_chunk.operation_id
                    and c.state = 'parked'
                    and c.asset_ids && p_asset_ids
            ),
            'cancelled', 'its step had ended', p_now
        );
    end if;
end;
$func$;
