-- Options without those that only the days of a forecast read.

create or replace function headgate._start_options(
    p_pipeline_id bigint,
    p_options headgate.plan_options
)
returns headgate.plan_options
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select row(
        p_options.params - array(
            select p.name
            from headgate.pipeline_parameters as p
            where p.pipeline_id = p_pipeline_id
                and p.effect in ('quota', 'quota_buffer', 'max_assets', 'chunk_size')
        ),
        p_options.execution_id, p_options.is_backfill, p_options.is_daily, p_options.may_use_bulk_calls, null,
        p_options.operations
    )::headgate.plan_options;
$func$;
