create or replace function headgate.run_checks(
    p_pipeline text default null,
    p_run_id text default null
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_report jsonb;
begin
    insert into headgate._requests (function, arguments)
    values ('run_checks', jsonb_build_object('p_pipeline', p_pipeline, 'p_run_id', p_run_id))
    returning result into v_report;
    return v_report;
end;
$func$;

comment on function headgate.run_checks(text, text) is
    'Step of a pipeline: run its checks, or those without a pipeline; keeps the results and returns a report whose '
    'status is failed if a check of severity error failed.';
