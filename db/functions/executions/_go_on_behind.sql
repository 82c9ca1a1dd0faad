-- A step's outcome has changed, so the steps behind it are decided again. An execution that had ended continues or ends
-- again, depending on its steps. Returns the steps that run again.

create or replace function headgate._go_on_behind(
    p_execution headgate.process_executions,
    p_step text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_reopened constant integer := headgate._reopen_behind(p_execution, array[p_step]);
begin
    if p_execution.finished_at is not null and v_reopened = 0 then
        perform headgate._close_execution(p_execution.execution_id, p_now);
    elsif p_execution.finished_at is not null then
        update headgate.process_executions as e
        set status = 'running', finished_at = null, reopened_at = p_now,
            deadline_at = headgate._deadline_at(e.driver, e.pipeline_id, p_now)
        where e.execution_id = p_execution.execution_id;
    end if;
    return v_reopened;
end;
$func$;
