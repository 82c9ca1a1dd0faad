create or replace function headgate._deadline_subject(p_pipeline text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select format('deadline of %s', p_pipeline);
$func$;
