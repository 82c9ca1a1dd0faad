create or replace function headgate._names(p_names text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        string_agg(n.name, ', ' order by n.name) || case when cardinality(p_names) > 20 then ', ...' else '' end,
        'none'
    )
    from (select distinct name from unnest(p_names) as u (name) order by name limit 20) as n;
$func$;
