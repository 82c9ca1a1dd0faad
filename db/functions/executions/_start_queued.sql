-- Start the next queued run of a pipeline that can be started; true: a run was started, or was given up because it
-- cannot be started. Back-fills come last.

create or replace function headgate._start_queued(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
    v_queued headgate.queued_runs;
begin
    for v_pipeline in
        select p.*
        from headgate.pipelines as p
        where exists (select from headgate.queued_runs as q where q.pipeline_id = p.pipeline_id)
            and not exists (select from headgate._start_obstacle(p))
        order by p.pipeline_id
    loop
        continue when not headgate._try_lock(format('start %s', v_pipeline.pipeline_id))
            or exists (select from headgate._start_obstacle(v_pipeline));  -- started by another session meanwhile
        delete from headgate.queued_runs as q
        where q.queued_run_id = (
            select n.queued_run_id
            from headgate.queued_runs as n
            where n.pipeline_id = v_pipeline.pipeline_id
            order by n.is_backfill, n.queued_run_id
            limit 1
        )
        returning q.* into v_queued;
        if found then
            perform headgate._start_run(v_pipeline, v_queued, p_now);
            return true;
        end if;
    end loop;
    return false;
end;
$func$;

-- A run that cannot be started is not tried again: it would fail for ever and hold up the runs behind it.
create or replace function headgate._start_run(
    p_pipeline headgate.pipelines,
    p_queued headgate.queued_runs,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_subject constant text := format('queued runs of %s', p_pipeline.name);
begin
    perform headgate.start_execution(
        p_pipeline.name, p_queued.run_id, p_queued.logical_date, p_driver => 'headgate',
        p_is_backfill => p_queued.is_backfill
    );
    perform headgate._set_alert(v_subject, null, null, false, p_now);
exception
    when transaction_rollback then
        raise;
    when others then
        perform headgate._set_alert(
            v_subject, 'error', format('run %s could not be started: %s', p_queued.run_id, sqlerrm), true, p_now
        );
end;
$func$;
