-- A referenced object must be declared earlier in the file, or by another plan. A reference to an invalid object is not
-- reported as a second mistake.

create or replace function headgate._check_reference(
    p_kind text,
    p_name text,
    p_referred_kind text,
    p_referred text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_known text[];
begin
    if p_referred is null then
        return true;
    end if;
    v_known := headgate._declared_names(p_referred_kind);
    if p_referred = any (v_known) then
        return true;
    end if;
    if headgate._is_mistaken(p_referred_kind, p_referred) then
        perform headgate._note_follow_up(p_kind, p_name);
    else
        perform headgate._note_mistake(
            p_kind, p_name,
            format('%s: unknown %s %s', headgate._object(p_kind, p_name), p_referred_kind, quote_literal(p_referred)),
            headgate._known(
                format('declared before it are the %ss', p_referred_kind), p_referred,
                v_known || headgate._mistaken_names(p_referred_kind)
            )
        );
    end if;
    return false;
end;
$func$;

-- Objects that this file has declared so far, and those of other plans.
create or replace function headgate._declared_names(p_kind text)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select n.name
        from (
            select p.name, p.is_retired from headgate.providers as p where p_kind = 'provider'
            union all
            select o.name, o.is_retired from headgate.operations as o where p_kind = 'operation'
            union all
            select p.name, false from headgate.pools as p where p_kind = 'pool'
            union all
            select s.name, s.is_retired from headgate.stores as s where p_kind = 'store'
            union all
            select p.name, p.is_retired from headgate.pipelines as p where p_kind = 'pipeline'
            union all
            select c.name, false from headgate.channels as c where p_kind = 'channel'
        ) as n
        where not n.is_retired
            and not exists (
                select from headgate.declarations as d where d.kind = p_kind and d.name = n.name and not d.is_declared
            )
        order by n.name
    );
$func$;
