-- Whether a text is a JSON path from the root.

create or replace function headgate._is_path(p_path text)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform p_path::jsonpath;
    return p_path ~ '^\s*(strict|lax)?\s*[$]' or p_path is null;
exception
    when syntax_error or data_exception then
        return false;
end;
$func$;
