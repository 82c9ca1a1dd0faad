-- The bound in a check's comparison: a number, or an interval in seconds; null if it is neither.
create or replace function headgate._bound_of(p_comparison text)
returns numeric
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_bound constant text := substring(p_comparison from '^[=!<>]{1,2} *(\S.*)$');
begin
    return case
        when v_bound ~ '^-?\d+(\.\d+)?$' then v_bound::numeric
        else extract(epoch from v_bound::interval)
    end;
exception
    when data_exception then
        return null;
end;
$func$;
