-- The deadline of an execution that begins or continues now; null: there is none.

create or replace function headgate._deadline_at(
    p_driver text,
    p_pipeline_id bigint,
    p_now timestamptz
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p_now + p.timeout
    from headgate.pipelines as p
    where p.pipeline_id = p_pipeline_id
        and p_driver = 'headgate';
$func$;
