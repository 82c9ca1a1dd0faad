-- The units of granting, in the order of granting: an asset's bundle, all of a group's bulk calls, or one batch. Within
-- a class, assets for single calls rank behind those served by bulk or batch calls.

create or replace function headgate._rank_entries(
    p_classes headgate.ranked_class[],
    p_calls headgate.class_call[],
    p_needs headgate.plan_need[]
)
returns setof headgate.plan_entry
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    with entry as (
        select
            c.class_no, null::integer as call_no, c.nth, coalesce(v.in_calls, 0) as skipped, c.is_backfill, c.priority,
            c.value, c.bundle, c.group_key, c.allowed - coalesce(v.in_calls, 0) as many,
            c.jobs - coalesce(v.in_calls, 0) as ranks
        from unnest(p_classes) as c
        left join (
            select v.class_no, max(v.last_nth) as in_calls
            from unnest(p_calls) as v
            where v.is_in_call
            group by v.class_no
        ) as v using (class_no)
        where c.nth is not null
        union all
        select
            null, v.call_no, min(c.nth), 0, bool_and(c.is_backfill), min(c.priority),
            sum(c.value * c.units * (v.last_nth - v.first_nth + 1))
                / greatest(1, max(v.base) + sum((c.units - n.units + v.units) * (v.last_nth - v.first_nth + 1))),
            min(c.bundle), min(c.group_key), sum(v.last_nth - v.first_nth + 1)::bigint, 1
        from unnest(p_classes) as c
        join unnest(p_calls) as v using (class_no)
        join unnest(p_needs) as n on n.operation_id = v.operation_id
        where v.is_in_call
        group by v.call_no
    )
    select
        e.place,
        1 + coalesce(
            sum(e.ranks) over (order by e.place rows between unbounded preceding and 1 preceding), 0
        )::bigint,
        e.class_no, e.call_no, e.skipped, e.many, e.ranks, e.is_backfill
    from (
        select e.*, row_number() over (
            order by e.is_backfill, e.priority, e.value desc, e.bundle, e.group_key, e.nth, e.call_no nulls last
        ) as place
        from entry as e
    ) as e;
end;
$func$;
