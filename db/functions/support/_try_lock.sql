-- The lock, or false at once if another session holds it.

create or replace function headgate._try_lock(p_name text)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform from headgate.locks as l where l.name = p_name for update skip locked;
    if not found then
        insert into headgate.locks (name) values (p_name) on conflict (name) do nothing;
    end if;
    return found;
end;
$func$;
