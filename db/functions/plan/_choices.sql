-- Lists that the run's parameters give for this effect. An empty list selects nothing.

create or replace function headgate._choices(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_effect text
)
returns table (parameter text, items jsonb)
language sql
stable
rows 2
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, p_options.params -> p.name
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline_id
        and p.effect = p_effect
        and jsonb_typeof(p_options.params -> p.name) = 'array';
$func$;
