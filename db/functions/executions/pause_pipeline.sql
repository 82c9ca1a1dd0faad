-- A paused pipeline keeps its place: messages that are not leased leave the queue, reservations stay.

create or replace function headgate.pause_pipeline(p_pipeline text)
returns table (paused_executions integer, paused_chunks integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
begin
    perform headgate._lock(format('runs %s', v_pipeline.pipeline_id));
    update headgate.pipelines as p
    set is_paused = true, is_paused_with_dag = false
    where p.pipeline_id = v_pipeline.pipeline_id;

    with waiting as (
        select c.chunk_id, c.queue, c.msg_id
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        where e.pipeline_id = v_pipeline.pipeline_id
            and c.state in ('queued', 'parked')
        order by c.chunk_id
        for update of c
    ),
    taken_out as (
        select w.chunk_id
        from waiting as w
        where w.msg_id is null or pgmq.delete(w.queue, w.msg_id) is not null
    )
    update headgate.chunks as c
    set state = 'planned', msg_id = null, wake_at = null, waits_for_pool = null
    from taken_out as t
    where c.chunk_id = t.chunk_id;
    get diagnostics paused_chunks = row_count;

    update headgate.process_executions as e
    set status = 'paused'
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.status = 'running';
    get diagnostics paused_executions = row_count;
    perform headgate._record_action(
        'pause_pipeline', jsonb_build_object('pipeline', p_pipeline),
        jsonb_build_object('paused_executions', paused_executions, 'paused_chunks', paused_chunks)
    );
    return next;
end;
$func$;

comment on function headgate.pause_pipeline(text) is
    'Start no more work of a pipeline until it is resumed; calls in flight finish. Returns what was stopped.';
