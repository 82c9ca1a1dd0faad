-- The reason of a job whose call may have been made and is not repeated.

create or replace function headgate._unknown(p_reason text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when headgate._is_unknown(p_reason) then p_reason
        else 'internal: unknown whether it was sent: ' || left(p_reason, 460)
    end;
$func$;
