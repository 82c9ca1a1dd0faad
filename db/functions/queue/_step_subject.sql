create or replace function headgate._step_subject(
    p_pipeline text,
    p_step text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format('step %s of %s', p_step, p_pipeline);
$func$;
