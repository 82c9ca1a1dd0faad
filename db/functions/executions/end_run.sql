-- A scheduler's run has ended or no longer exists while its execution is open: a person ended it there. Work in flight
-- is cancelled; if there is none and the run succeeded, the execution ends as its steps say.

create or replace function headgate.end_run(
    p_pipeline text,
    p_run_id text,
    p_state text
)
returns table (status text, cancelled integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
declare
    v_execution headgate.process_executions;
begin
    if coalesce(p_state, '') not in ('success', 'failed', 'gone') then
        perform headgate._raise(
            'HG008', format('invalid outcome of a run: %s', coalesce(quote_literal(p_state), 'null')),
            'success, failed or gone'
        );
    end if;
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    if v_execution.driver <> 'airflow' or v_execution.finished_at is not null then
        return;
    end if;

    if not headgate._has_open_step(v_execution.execution_id)
        or p_state = 'success' and not exists (
            select from headgate.chunks as c where c.execution_id = v_execution.execution_id
        )
    then
        cancelled := 0;
        perform headgate.finalize_execution(p_pipeline, p_run_id);
    else
        select c.cancelled into cancelled from headgate.cancel_execution(p_pipeline, p_run_id) as c;
    end if;
    select e.status into status
    from headgate.process_executions as e
    where e.execution_id = v_execution.execution_id;
    return next;
end;
$func$;

comment on function headgate.end_run(text, text, text) is
    'End what a scheduler''s run left open: it was ended there by hand (success, failed), or no longer exists (gone); '
    'returns how.';
