-- Assets without a state for an operation of their universe: no plan includes them.

create or replace function headgate._examine_needs()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'operation ' || o.name, 'fail',
        format('%s assets of universe %s have no state, so they are never planned', n.assets, o.universe),
        'select headgate.check_plans(), as headgate migrate does at its end', false
    from headgate.operations as o
    cross join lateral (
        select count(*) as assets
        from headgate.assets as a
        where a.universe = o.universe
            and not exists (
                select
                from headgate.asset_processing_state as s
                where s.operation_id = o.operation_id
                    and s.asset_id = a.asset_id
            )
    ) as n
    where o.bulk_call_of_operation_id is null
        and not o.is_retired
        and n.assets > 0;
$func$;
