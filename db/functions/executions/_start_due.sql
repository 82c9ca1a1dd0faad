-- Start a run of a pipeline that starts by itself when something is due, or order one if a DAG runs it. Work that the
-- last run has left undone waits a while, so that a broken receiver is not called all the time.

create or replace function headgate._start_due(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
begin
    for v_pipeline in
        select p.*
        from headgate.pipelines as p
        where p.is_started_when_due
            and headgate._is_to_start(p, p_now)
        order by p.pipeline_id
    loop
        perform headgate._lock(format('start %s', v_pipeline.pipeline_id));
        if not headgate._is_to_start(v_pipeline, p_now) then
            continue;  -- another runner was faster
        elsif exists (
            select from headgate.dags as d where d.pipeline_id = v_pipeline.pipeline_id and not d.is_paused
        ) then
            perform headgate.trigger_pipeline(v_pipeline.name);
        else
            perform headgate.run_pipeline(
                v_pipeline.name, p_run_id => 'due-'
                    || to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            );
        end if;
        return true;
    end loop;
    return false;
end;
$func$;

create or replace function headgate._is_to_start(
    p_pipeline headgate.pipelines,
    p_now timestamptz
)
returns boolean
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select not p_pipeline.is_retired
        and not p_pipeline.is_paused
        and not exists (
            select
            from headgate.process_executions as e
            where e.pipeline_id = p_pipeline.pipeline_id
                and e.status in ('running', 'paused')
        )
        and not exists (
            select from headgate.orders as o where o.pipeline_id = p_pipeline.pipeline_id and o.taken_at is null
        )
        and exists (
            select
            from headgate.pipeline_steps as s
            join headgate.operations as o on o.name = any (s.operations)
            -- By priority, as the index is: nothing that is not due is read.
            cross join generate_series(o.priority * 10, o.priority * 10 + 9) as p (priority)
            join headgate.asset_processing_state as t
                on t.operation_id = o.operation_id and t.priority = p.priority::smallint
            where s.pipeline_id = p_pipeline.pipeline_id
                and t.next_due_at <= p_now
                and t.next_due_at > (
                    select coalesce(max(e.started_at), '-infinity')
                    from headgate.process_executions as e
                    where e.pipeline_id = p_pipeline.pipeline_id
                        and e.started_at > p_now - interval '15 minutes'
                )
        );
$func$;
