create or replace function headgate._send_step(
    p_execution headgate.process_executions,
    p_step text,
    p_attempt integer,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk_ids bigint[];
    v_step headgate.process_steps;
    v_sent integer;
begin
    v_chunk_ids := array(
        select c.chunk_id
        from headgate.chunks as c
        where c.execution_id = p_execution.execution_id
            and c.step = p_step
            and c.state = 'planned'
        order by c.chunk_id
        for update
    );
    -- The step is running before its chunks are sent, so that a chunk without units can end it. A call while it runs is
    -- the same attempt: a caller that lost its connection and retries opens no new round.
    perform headgate._join_execution(p_execution.execution_id);
    update headgate.process_steps as s
    set status = 'running',
        attempt = greatest(s.attempt, p_attempt),
        reopened_from = null,
        retry_at = null,
        is_late = false,
        is_rerun = false,
        deadline_at = p_now + s.timeout,
        started_at = coalesce(s.started_at, p_now)
    where s.execution_id = p_execution.execution_id
        and s.step = p_step
        and (s.status = 'pending' or s.status = 'running' and s.attempt < p_attempt);
    v_sent := headgate._send_chunks(v_chunk_ids, p_now);

    v_step := headgate._hold_step(p_execution.execution_id, p_step);
    perform headgate._close_step(v_step, p_now);
    return v_sent;
end;
$func$;
