create or replace function equities._setting(p_name text)
returns double precision
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select s.value from equities.settings as s where s.name = p_name;
$func$;

comment on function equities._setting(text) is 'A parameter of this plan''s functions.';
