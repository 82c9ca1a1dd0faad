-- Whether a step's condition holds; one that cannot be decided is an error of the plan.

create or replace function headgate._meets_condition(p_step headgate.process_steps)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_is_met boolean;
    v_error text := 'it compares what cannot be compared';
begin
    if p_step.condition is null then
        return true;
    end if;
    begin
        v_is_met := jsonb_path_match(headgate._run_document(p_step.execution_id), p_step.condition);
    exception
        when data_exception then
            v_error := sqlerrm;
    end;
    if v_is_met is null then
        perform headgate._raise(
            'HG020',
            format('step %s: its condition is neither true nor false: %s: %s', p_step.step, p_step.condition, v_error),
            'correct it in the plan, or skip the step; headgate.v_run_documents shows what it reads'
        );
    end if;
    return v_is_met;
end;
$func$;
