-- The classes that a forecast begins with, as a runner has counted them last; no row: there are none for such options.

create or replace function headgate._counted_start(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns table (counted_at timestamptz, classes headgate.forecast_class[])
language sql
stable
rows 1
set search_path = pg_catalog, pg_temp
as $func$
    select c.counted_at, s.classes
    from headgate.forecast_starts as s
    cross join headgate._counted as c
    where s.pipeline_id = p_pipeline_id
        and s.options is not distinct from headgate._start_options(p_pipeline_id, p_options);
$func$;
