-- Locks that no other role can take, unlike advisory ones: rows of a private table, held until the transaction ends.

create or replace function headgate._lock(
    p_name text,
    p_is_shared boolean default false
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    loop
        if p_is_shared then
            perform from headgate.locks as l where l.name = p_name for share;
        else
            perform from headgate.locks as l where l.name = p_name for update;
        end if;
        exit when found;
        insert into headgate.locks (name) values (p_name) on conflict (name) do nothing;
    end loop;
end;
$func$;
