-- Options without a run: no parameters, and the pipeline's current graph.

create or replace function headgate._bare_options(p_params jsonb)
returns headgate.plan_options
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select row(p_params, null, false, false, true, null, null)::headgate.plan_options;
$func$;
