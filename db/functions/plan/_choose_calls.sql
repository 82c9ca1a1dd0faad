-- Which assets of a class are served by bulk or batch calls, and which are not; each call, or set of calls, has a
-- number.

create or replace function headgate._choose_calls(
    p_classes headgate.ranked_class[],
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_is_daily boolean
)
returns setof headgate.class_call
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_due constant headgate.plan_class[] := array(
        select row(
            c.class_no, c.operation_ids, c.group_key, c.calendar, c.priority, c.due_since, c.weight, c.allowed,
            c.missing_from
        )::headgate.plan_class
        from unnest(p_classes) as c
        where c.nth is not null
        order by c.nth
    );
begin
    return query
    select
        v.class_no, v.operation_id,
        case
            when v.is_in_call
                then dense_rank() over (order by v.is_in_call desc, v.is_batch, v.call_no)::integer
        end,
        v.sessions, v.is_in_call, v.first_nth, v.last_nth, v."position", v.cost, v.other_cost, v.call_operation_id,
        v.call_provider_id, v.call_units::bigint * cardinality(v.sessions), v.call_units_per_asset::bigint
    from (
        select false as is_batch, c.* from headgate._bulk_calls(v_due, p_needs, p_at, p_is_daily) as c
        union all
        select true, g.* from headgate._batch_calls(v_due, p_needs) as g
    ) as v;
end;
$func$;
