-- An ended execution that was reopened (by a cleared task, or a retry in psql) has no scheduler to finalize it: it ends
-- with the work it was reopened for. Tasks that the scheduler runs later reopen it.

-- It ends with its last step, in the same commit. A session that ends or sends a step of such an execution holds it, so
-- one of two sessions sees the other's change. Nothing ends while a planner of the pipeline is active: the planner
-- checks too, or the next claim does.
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
