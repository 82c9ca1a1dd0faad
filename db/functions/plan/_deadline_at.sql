-- By when an execution that begins, or goes on, must have ended; null: at any time.

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
