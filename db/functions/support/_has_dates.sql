-- Whether a request of the pipeline names the date that its run is for.

create or replace function headgate._has_dates(p_pipeline_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.pipeline_steps as s
        join headgate.operations as o on o.name = any (s.operations)
        where s.pipeline_id = p_pipeline_id
            and headgate._is_dated(o)
    );
$func$;
