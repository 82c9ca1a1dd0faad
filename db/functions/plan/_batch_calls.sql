-- Single or batch calls, which name up to batch_size assets of a group. Assets of a group with the same due operations
-- share batch calls in rank order; if the last call would have too few assets to be cheaper, they are called for one by
-- one.

create or replace function headgate._batch_calls(
    p_classes headgate.plan_class[],
    p_needs headgate.plan_need[]
)
returns table (
    class_no integer, operation_id bigint, call_no integer, sessions date[], is_in_call boolean, first_nth bigint,
    last_nth bigint, "position" bigint, cost bigint, other_cost bigint, call_operation_id bigint,
    call_provider_id bigint, call_units integer, call_units_per_asset integer
)
language sql
stable
rows 100
set search_path = pg_catalog, pg_temp
as $func$
    with need as materialized (
        select n.*, case when n.is_callable then n.units else 1000000000 end::bigint as item_units
        from unnest(p_needs) as n
        where n.batch_size is not null
            and n.call_operation_id is not null
    ),
    lined_up as materialized (
        -- Of operations granted together, one is served by batch calls.
        select
            c.class_no, c.jobs, n.*,
            sum(c.jobs) over line - c.jobs as before,
            sum(c.jobs) over (partition by n.operation_id, c.group_key, c.operation_ids) as together,
            dense_rank() over (order by n.operation_id, c.group_key, c.operation_ids) as line_no
        from unnest(p_classes) with ordinality as c (
            class_no, operation_ids, group_key, calendar, priority, due_since, weight, jobs, missing_from, nth
        )
        join lateral (
            select n.* from need as n where n.operation_id = any (c.operation_ids) order by n.operation_id limit 1
        ) as n on true
        where c.missing_from is not null
            and c.jobs > 0
        window line as (partition by n.operation_id, c.group_key, c.operation_ids order by c.nth)
    ),
    cut as materialized (
        -- Full batches if they are cheaper than single calls, and the last one likewise.
        select
            l.*,
            case
                when l.call_units + l.call_units_per_asset::bigint * l.batch_size < l.item_units * l.batch_size
                    then l.together / l.batch_size * l.batch_size
                else 0
            end
            + case
                when l.call_units + l.call_units_per_asset * (l.together % l.batch_size)
                    < l.item_units * (l.together % l.batch_size)
                    then l.together % l.batch_size
                else 0
            end as batched
        from lined_up as l
    ),
    charge as materialized (
        select
            c.*,
            headgate._batch_cost(c.batched, c.batch_size, c.call_units, c.call_units_per_asset)
                + c.item_units * (c.together - c.batched) as cost,
            c.item_units * c.together as item_cost,
            headgate._batch_cost(c.together, c.batch_size, c.call_units, c.call_units_per_asset) as whole_cost
        from cut as c
    ),
    part as (
        select
            c.*,
            p.batch,
            greatest(c.before, p.batch * c.batch_size) as first,
            least(c.before + c.jobs, c.batched, (p.batch + 1) * c.batch_size) as last
        from charge as c
        cross join lateral generate_series(
            c.before / c.batch_size, (least(c.before + c.jobs, c.batched) - 1) / c.batch_size
        ) as p (batch)
        where c.before < c.batched
    )
    select
        p.class_no,
        p.operation_id,
        dense_rank() over (order by p.line_no, p.batch)::integer,
        array[null::date],
        true,
        (p.first - p.before + 1)::bigint,
        (p.last - p.before)::bigint,
        (p.first - p.batch * p.batch_size)::bigint,
        p.cost::bigint,
        p.item_cost::bigint,
        p.call_operation_id,
        p.call_provider_id,
        p.call_units,
        p.call_units_per_asset
    from part as p
    union all
    select
        c.class_no, c.operation_id, null, null, false, null, null, null, c.cost::bigint,
        c.whole_cost::bigint, c.call_operation_id, c.call_provider_id, c.call_units, c.call_units_per_asset
    from charge as c
    where c.before + c.jobs > c.batched;
$func$;
