create or replace function headgate._meant(
    p_name text,
    p_names text[]
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce('did you mean ' || string_agg(n.name, ' or ' order by n.nth) || '? ', '')
    from unnest(headgate._near(p_name, p_names)) with ordinality as n (name, nth);
$func$;
