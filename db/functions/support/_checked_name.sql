-- A stored function's name from a row, safe for dynamic SQL.

create or replace function headgate._checked_name(p_function text)
returns text
language sql
stable
as $func$
    select format('%I.%I', split_part(p_function, '.', 1), split_part(p_function, '.', 2));
$func$;
