-- The hint for an unknown name: suggestions, then all known names.

create or replace function headgate._known(
    p_what text,
    p_name text,
    p_names text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._meant(p_name, p_names) || p_what || ': ' || headgate._names(p_names);
$func$;
