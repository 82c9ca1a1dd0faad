-- An execution of a scheduler's that had ended and was opened again (a cleared task, a retry in psql) has nobody who
-- would finalize it: it ends with what it was opened for. Tasks behind that the scheduler runs later open it again.

-- With the last of its steps, in the same commit. Who ends or sends a step of such an execution holds it, so that one
-- of two sees the end of the other's. While a planner of the pipeline is at work nothing is ended: he looks, too, or
-- else the next runner who asks for work.
create or replace function headgate._end_reopened(
    p_execution_id bigint,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline_id bigint;
begin
    select e.pipeline_id into v_pipeline_id
    from headgate.process_executions as e
    where e.execution_id = p_execution_id
        and e.driver = 'airflow'
        and e.reopened_at is not null
    for no key update;
    if not found
        or not headgate._is_worked_off(p_execution_id, '{planned,queued,leased,parked}')
        or not headgate._try_lock(format('runs %s', v_pipeline_id))
    then
        return false;
    end if;
    perform headgate._close_execution(p_execution_id, p_now);
    return true;
end;
$func$;
