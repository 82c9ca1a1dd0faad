-- Whether a plan's function meets the rules: owned by the plan's role, security definer, with the usual path. Runs once
-- per chunk, so it is one query; for other functions headgate.require_fit reports what is wrong, if anything. Null is
-- not a function name.

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
