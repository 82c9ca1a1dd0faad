-- Lets a client check user input before it checks or starts anything else.

create or replace function headgate.check_run(
    p_pipeline text,
    p_params jsonb default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
begin
    return case when p_params is not null then headgate._resolve_params(v_pipeline, p_params) end;
end;
$func$;

comment on function headgate.check_run(text, jsonb) is
    'The parameters that a run would have, defaults filled in. Raises for an unknown pipeline, parameter or value.';
