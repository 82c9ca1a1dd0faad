-- Create the state rows that assets lack, one per operation of their universe, and update priorities. One caller at a
-- time, so that new rows are a plain insert: `on conflict` doubles its cost.

create or replace function headgate._open_needs(p_universes text[] default null)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation headgate.operations;
    v_is_fit boolean;
begin
    perform headgate._lock('needs');
    for v_operation in
        select *
        from headgate.operations as o
        where (p_universes is null or o.universe = any (p_universes))
            and o.bulk_call_of_operation_id is null  -- a bulk or batch call is not a need of its own
            and not o.is_retired
        order by o.operation_id
    loop
        v_is_fit := v_operation.due_rule = 'function' and headgate._is_plainly_fit(v_operation.due_function);
        update headgate.asset_processing_state as s
        set priority = headgate._state_priority(v_operation.priority, a.weight)
        from headgate.assets as a
        where s.operation_id = v_operation.operation_id
            and a.asset_id = s.asset_id
            and s.priority <> headgate._state_priority(v_operation.priority, a.weight);

        insert into headgate.asset_processing_state (operation_id, asset_id, priority, next_due_at)
        select
            v_operation.operation_id,
            a.asset_id,
            headgate._state_priority(v_operation.priority, a.weight),
            case
                when v_operation.follows_operation_id is not null or v_operation.due_rule = 'after' then null
                when v_operation.due_rule = 'function'
                    then headgate._next_due_at(v_operation, a.asset_id, a.calendar, null, v_now, null, v_is_fit)
                else v_now
            end
        from headgate.assets as a
        where a.universe = v_operation.universe
            and not exists (
                select
                from headgate.asset_processing_state as s
                where s.operation_id = v_operation.operation_id
                    and s.asset_id = a.asset_id
            )
        order by a.asset_id;
    end loop;
end;
$func$;

-- Ten times the operation's priority plus the asset's weight class: 0 for a weight of 100,000 or more, 5 for a weight
-- of 1, 9 for the smallest. Inlined (no pinned path), because it runs once per asset and operation.
create or replace function headgate._state_priority(
    p_priority smallint,
    p_weight double precision
)
returns smallint
language sql
immutable
as $func$
    select (p_priority * 10 + 5 - least(5, greatest(-4, pg_catalog.floor(pg_catalog.log(p_weight)))))::pg_catalog.int2;
$func$;
