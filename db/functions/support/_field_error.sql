-- The error for a field without a value; null if none is missing.

create or replace function headgate._field_error(
    p_field text,
    p_code text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_field like 'steps.%' then format(
            'step %s has no output for the template field {%s}', split_part(p_field, '.', 2), p_field
        )
        when p_field is not null then format('the template field {%s} has no value for %s', p_field, p_code)
    end;
$func$;
