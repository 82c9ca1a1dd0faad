create or replace function headgate.resume_pipeline(p_pipeline text)
returns table (resumed_executions integer, sent_chunks integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_chunk_ids bigint[];
begin
    update headgate.pipelines as p
    set is_paused = false, is_paused_with_dag = false
    where p.pipeline_id = v_pipeline.pipeline_id;
    v_chunk_ids := array(  -- chunks before executions: a session that ends an execution also locks its chunks first
        select c.chunk_id
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        join headgate.process_steps as s using (execution_id, step)
        where e.pipeline_id = v_pipeline.pipeline_id
            and e.status in ('running', 'paused')
            and s.status = 'running'
            and c.state = 'planned'
        order by c.chunk_id
        for update of c
    );
    update headgate.process_executions as e
    set status = 'running'
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.status = 'paused';
    get diagnostics resumed_executions = row_count;
    sent_chunks := headgate._send_chunks(v_chunk_ids, v_now);
    perform pg_notify('headgate_jobs', '');
    perform pg_notify('headgate_orders', '');  -- and wakes runs that wait for their turn
    perform headgate._record_action(
        'resume_pipeline', jsonb_build_object('pipeline', p_pipeline),
        jsonb_build_object('resumed_executions', resumed_executions, 'sent_chunks', sent_chunks)
    );
    return next;
end;
$func$;

comment on function headgate.resume_pipeline(text) is 'Resume a paused pipeline; returns what was resumed.';
