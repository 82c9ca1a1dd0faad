-- End the waiting chunks of an execution or of one of its steps; leases end by themselves. The execution row stays
-- locked: chunks parked by a concurrent completion are found by the second pass, or are not parked because the
-- completion sees that the execution has ended.

create or replace function headgate._cancel_waiting(
    p_execution_id bigint,
    p_step text,
    p_reason text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_waiting headgate.chunks[];
begin
    v_waiting := array(
        select c
        from headgate.chunks as c
        where c.execution_id = p_execution_id
            and (p_step is null or c.step = p_step)
            and c.state <> 'leased'
        order by c.chunk_id
        for update
    );
    perform headgate._locked_pairs(v_waiting);
    perform from headgate.process_executions as e where e.execution_id = p_execution_id for update;

    return headgate._end_held(v_waiting, 'cancelled', p_reason, p_now) + headgate._end_chunks(
        array(
            select c.chunk_id
            from headgate.chunks as c
            where c.execution_id = p_execution_id
                and (p_step is null or c.step = p_step)
                and c.state <> 'leased'
            order by c.chunk_id
            for update skip locked
        ),
        'cancelled', p_reason, p_now
    );
end;
$func$;
