-- Providers write numbers as numbers, as text, as "NA" or not at all. Meant to inline (hence no pinned path).

create or replace function equities._number(p_value jsonb)
returns double precision
language sql
immutable
as $func$
    select case
        when pg_catalog.jsonb_typeof(p_value) = 'number'
            or (p_value #>> '{}') ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?$' then (p_value #>> '{}')::double precision
    end;
$func$;

comment on function equities._number(jsonb) is 'The number in a JSON value; null if it holds none.';
