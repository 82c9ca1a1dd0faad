-- Single calls or bulk calls: the cheapest combination per need and group. A bulk call serves one session of one group.
-- An asset that misses several sessions is served by one call of its own, or by the bulk calls of all missing sessions.
-- With one calendar per group, missing sessions are the end of that calendar, so the best set is the range that some
-- asset misses: all ranges are tried. With several calendars, combinations of ranges are tried as well.

create or replace function headgate._bulk_calls(
    p_classes headgate.plan_class[],
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_is_daily boolean
)
returns table (
    class_no integer, operation_id bigint, call_no integer, sessions date[], is_in_call boolean, first_nth bigint,
    last_nth bigint, "position" bigint, cost bigint, other_cost bigint, call_operation_id bigint,
    call_provider_id bigint, call_units integer, call_units_per_asset integer
)
language plpgsql
stable
rows 100
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
#variable_conflict use_column
begin
    return query
    with need as materialized (
        select n.*
        from unnest(p_needs) as n
        where n.call_operation_id is not null
            and n.batch_size is null
    ),
    stale as materialized (
        select
            c.class_no, c.operation_ids[1] as operation_id, c.group_key, c.calendar, c.missing_from, c.jobs,
            c.jobs::bigint * case when n.is_callable then n.units else 1000000000 end as item_cost,
            n.call_units,
            c.nth
        from unnest(p_classes) with ordinality as c (
            class_no, operation_ids, group_key, calendar, priority, due_since, weight, jobs, missing_from, nth
        )
        join need as n on c.operation_ids = array[n.operation_id]
        where c.missing_from > '-infinity'
            and c.jobs > 0
    ),
    stretch as materialized (
        -- Sessions that assets with this watermark miss. Null if there are more than bulk calls could ever be worth; a
        -- few sessions are always considered, to compute how much dearer such calls would be.
        select s.*, headgate._missing_sessions(
            n.call_provider_id, s.calendar, s.missing_from, p_at, p_is_daily,
            least(n.most_calls, greatest(5, least(s.jobs, s.most_worth / greatest(1, n.call_units))))::integer
        ) as sessions
        from (
            select
                operation_id, group_key, calendar, missing_from,
                sum(sum(s.item_cost)) over (partition by operation_id, group_key) as most_worth,
                sum(sum(s.jobs)) over (partition by operation_id, group_key) as jobs
            from stale as s
            group by operation_id, group_key, calendar, missing_from
        ) as s
        join need as n using (operation_id)
    ),
    choice as materialized (
        select t.operation_id, t.group_key, t.sessions
        from stretch as t
        where cardinality(t.sessions) > 0
        union
        select t.operation_id, t.group_key, array_agg(distinct u.session order by u.session)
        from stretch as t
        join stretch as o using (operation_id, group_key)
        cross join unnest(o.sessions) as u (session)
        where o.missing_from >= t.missing_from
            and exists (
                select from stretch as m
                where m.operation_id = t.operation_id
                    and m.group_key = t.group_key
                    and m.calendar <> t.calendar
            )
        group by t.operation_id, t.group_key, t.missing_from
    ),
    charge as (
        select
            c.operation_id, c.group_key, c.sessions,
            cardinality(c.sessions)::bigint * min(s.call_units)
                + coalesce(
                    sum(s.item_cost) filter (where t.sessions is null or not t.sessions <@ c.sessions), 0
                ) as cost,
            sum(s.item_cost) as item_cost,
            bool_and(coalesce(t.sessions <@ c.sessions, false)) as is_whole
        from choice as c
        join stale as s using (operation_id, group_key)
        join stretch as t using (operation_id, group_key, calendar, missing_from)
        group by c.operation_id, c.group_key, c.sessions
    ),
    best as (
        select
            p.*,
            min(p.cost) filter (where p.is_whole) over (partition by p.operation_id, p.group_key) as whole_cost,
            row_number() over (
                partition by p.operation_id, p.group_key order by p.cost, cardinality(p.sessions), p.sessions
            ) as place
        from charge as p
    )
    select
        s.class_no,
        operation_id,
        dense_rank() over (order by operation_id, group_key)::integer,
        b.sessions,
        b.cost < b.item_cost and coalesce(t.sessions <@ b.sessions, false),
        1::bigint,
        s.jobs::bigint,
        coalesce(sum(s.jobs) over (
            partition by operation_id, group_key, b.cost < b.item_cost and coalesce(t.sessions <@ b.sessions, false)
            order by s.nth rows between unbounded preceding and 1 preceding
        ), 0)::bigint,
        least(b.cost, b.item_cost)::bigint,
        case when b.cost < b.item_cost then b.item_cost else coalesce(b.whole_cost, b.cost) end::bigint,
        n.call_operation_id,
        n.call_provider_id,
        n.call_units,
        0
    from best as b
    join stale as s using (operation_id, group_key)
    join stretch as t using (operation_id, group_key, calendar, missing_from)
    join need as n using (operation_id)
    where b.place = 1;
end;
$func$;
