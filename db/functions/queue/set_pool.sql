-- An operator's change to a pool. A smaller pool drains: running work goes on, and no chunk is leased before it fits.

create or replace function headgate.set_pool(
    p_pool text,
    p_slots integer
)
returns table (pool text, slots integer, used integer, waiting integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_known constant text[] := array(select l.name from headgate.pools as l order by l.name);
    v_operation headgate.operations;
begin
    perform from headgate.pools as l where l.name = p_pool for no key update;
    if not found then
        perform headgate._raise(
            'HG008', format('unknown pool: %s', coalesce(quote_literal(p_pool), 'null')),
            headgate._known('known pools', p_pool, v_known)
        );
    end if;
    select * into v_operation
    from headgate.operations as o
    where o.pool = p_pool
        and not o.is_retired
    order by o.pool_slots desc, o.name
    limit 1;
    if p_slots is null or p_slots < greatest(1, v_operation.pool_slots) then
        perform headgate._raise(
            'HG008', format('pool %s cannot have %s slots', p_pool, coalesce(p_slots::text, 'null')),
            case
                when p_slots > 0 then format(
                    'its operation %s takes %s, and would wait for ever', v_operation.name, v_operation.pool_slots
                )
                else 'give one or more; pause_pipeline stops work altogether'
            end
        );
    end if;

    update headgate.pools as l set slots = p_slots where l.name = p_pool;
    perform headgate._wake_pool(p_pool, headgate.clock());
    perform headgate._record_action(
        'set_pool', jsonb_build_object('pool', p_pool, 'slots', p_slots), jsonb_build_object('slots', p_slots)
    );
    return query
    select v.pool, v.slots, v.used, v.waiting from headgate.v_pools as v where v.pool = p_pool;
end;
$func$;

comment on function headgate.set_pool(text, integer) is
    'Change how many slots a pool has; a smaller one drains. Returns the changed pool.';
