-- Errors that clients can distinguish: class HG, a message that names the object, and a hint that says what to do.

create or replace function headgate._raise(
    p_code text,
    p_message text,
    p_hint text
)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $func$
begin
    raise exception using errcode = p_code, message = p_message, hint = p_hint;
end;
$func$;
