-- A named graph of steps; its name is Airflow's dag_id.

create or replace function headgate.put_pipeline(
    pipeline text,
    description text default null,
    timeout interval default null,
    after text[] default null,
    is_started_when_due boolean default null
)
returns text
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._declare('pipeline', put_pipeline.pipeline, jsonb_build_object(
        'description', put_pipeline.description,
        'timeout', put_pipeline.timeout,
        'after', put_pipeline.after,
        'is_started_when_due', put_pipeline.is_started_when_due
    ));
$func$;

comment on function headgate.put_pipeline is
    'Declare a pipeline; its steps and parameters follow. Returns created, unchanged, or changed and what.';
