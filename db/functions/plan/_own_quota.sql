-- The run's own limit of units per window; null if it has none.

create or replace function headgate._own_quota(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select greatest(
        0,
        min((nullif(p_options.params -> p.name, 'null'))::integer) filter (where p.effect = 'quota')
        - coalesce(
            sum((nullif(p_options.params -> p.name, 'null'))::integer) filter (where p.effect = 'quota_buffer'), 0
        )
    )::integer
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline_id
    having count(*) filter (where p.effect = 'quota' and nullif(p_options.params -> p.name, 'null') is not null) > 0;
$func$;
