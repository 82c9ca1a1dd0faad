create or replace function headgate.step_output(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step constant headgate.process_steps := headgate._step(headgate._execution(p_pipeline, p_run_id), p_step);
begin
    return (
        select o.output
        from headgate._step_outputs as o
        where o.execution_id = v_step.execution_id
            and o.step = v_step.step
    );
end;
$func$;

comment on function headgate.step_output(text, text, text) is
    'The output of a run''s step for later steps: the value that its function returned, the output of its only asset, '
    'or the outputs of its assets by code; null: none.';
