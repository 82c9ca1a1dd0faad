-- Whether a plan's function is as all should be: its role's, security definer, with the usual path. It is asked for
-- each chunk, so it is one query; of any other function headgate.require_fit says what is wrong with it, if anything.
-- Null is no function's name.

create or replace function headgate._is_plainly_fit(p_function text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return coalesce((
        select bool_and(
            p.proowner = n.nspowner and p.prosecdef and p.prokind = 'f'
            and coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false)
        )
        from pg_namespace as n
        join pg_proc as p on p.pronamespace = n.oid
        where n.nspname = split_part(p_function, '.', 1)
            and p.proname = split_part(p_function, '.', 2)
            and pg_get_userbyid(n.nspowner) like 'headgate\_plan\_%'
    ), false);
end;
$func$;
