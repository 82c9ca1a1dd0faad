-- Why a plan's function cannot be called; null if it can. It runs with its plan's rights only, so it must belong to the
-- plan's role, be security definer and pin its search_path. All overloads are checked, whichever a call would use.
-- The core's functions may lack security definer, because some of them check their caller.

create or replace function headgate._misfit(p_function text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_schema record;
    v_function record;
begin
    select n.oid, n.nspowner, pg_get_userbyid(n.nspowner)::text as owner into v_schema
    from pg_namespace as n
    where n.nspname = split_part(p_function, '.', 1);
    if v_schema.owner not in ('headgate_owner') and v_schema.owner not like 'headgate\_plan\_%' then
        return format('its schema belongs to %s, which is not a plan''s role', v_schema.owner);
    end if;
    for v_function in
        select p.proowner, p.prosecdef, p.prokind, p.proconfig
        from pg_proc as p
        where p.pronamespace = v_schema.oid
            and p.proname = split_part(p_function, '.', 2)
    loop
        if v_function.proowner <> v_schema.nspowner then
            return format('it belongs to %s, not to %s', pg_get_userbyid(v_function.proowner), v_schema.owner);
        elsif v_function.prokind <> 'f' then
            return 'it is not a plain function';
        elsif not v_function.prosecdef and v_schema.owner <> 'headgate_owner' then
            return 'it is not security definer';
        elsif not exists (
            select
            from unnest(v_function.proconfig) as c (setting)
            where c.setting like 'search\_path=_%'
                and c.setting not like '%$user%'
        ) then
            return 'its search_path is not pinned';
        end if;
    end loop;
    return case when not found then 'it does not exist' end;
end;
$func$;
