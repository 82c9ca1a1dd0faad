-- Settles an execution without waiting: what has not started returns its units, what is under way loses its lease.

create or replace function headgate.finalize_execution(
    p_pipeline text,
    p_run_id text
)
returns table (
    status text, planned integer, succeeded integer, failed integer, deferred integer, skipped integer,
    units integer, duration interval
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
    v_chunks headgate.chunks[];
begin
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    if v_execution.status in ('running', 'paused') then
        v_chunks := headgate._hold_execution(v_execution.execution_id);
        perform headgate._end_chunks(
            array(select c.chunk_id from unnest(v_chunks) as c), 'deferred', 'the execution was finalized', v_now
        );
        perform headgate._close_execution(v_execution.execution_id, v_now);
    end if;

    return query
    select e.status, e.planned, e.succeeded, e.failed, e.deferred, e.skipped, e.units, e.finished_at - e.started_at
    from headgate.process_executions as e
    where e.execution_id = v_execution.execution_id;
end;
$func$;

comment on function headgate.finalize_execution(text, text) is
    'End an execution and settle its units; returns its status and totals, and raises nothing when it has failed.';

-- All of its chunks, their pairs and last the execution, before any of its steps: who holds a step may already wait for it.
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
    loop  -- a completion that we wait for may park jobs in new chunks
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

-- The execution, with its planners done or kept out until we are: none of its chunks can be new then.
create or replace function headgate._stopped_execution(
    p_pipeline text,
    p_run_id text
)
returns headgate.process_executions
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._lock(format('runs %s', (headgate._execution(p_pipeline, p_run_id)).pipeline_id));
    return headgate._execution(p_pipeline, p_run_id);
end;
$func$;
