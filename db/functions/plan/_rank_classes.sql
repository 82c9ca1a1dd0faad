-- Classes with what one of their assets costs and is worth, the most valuable first, and how many of their assets the
-- run's asset limit allows.

create or replace function headgate._rank_classes(
    p_classes headgate.plan_class[],
    p_needs headgate.plan_need[],
    p_at timestamptz
)
returns setof headgate.ranked_class
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    with class as materialized (
        select
            c.*,
            p.bundle, p.units, p.max_assets, p.is_backfill,
            power(c.weight, p.weight_power)
                * (1 + p.staleness_per_day * greatest(0, date_part('epoch', p_at - c.due_since)) / 86400)
                / greatest(1, p.units_ranked) as value
        from unnest(p_classes) as c
        join (
            select
                c.class_no, min(n.bundle) as bundle, sum(n.units) as units,
                sum(n.units) / case when bool_or(n.is_tied) then count(*) else 1 end as units_ranked,
                min(n.max_assets) as max_assets, bool_and(n.is_backfill) as is_backfill,
                max(n.staleness_per_day) as staleness_per_day, max(n.weight_power) as weight_power
            from unnest(p_classes) as c
            cross join unnest(c.operation_ids) as u (operation_id)
            join unnest(p_needs) as n using (operation_id)
            group by c.class_no
        ) as p using (class_no)
    ),
    due as (
        select c.class_no, c.bundle, c.jobs, c.max_assets, row_number() over (
            order by c.is_backfill, c.priority, c.value desc, c.bundle, c.group_key, c.calendar, c.due_since,
                c.weight, c.missing_from, c.class_no
        ) as nth
        from class as c
        where c.due_since <= p_at
    ),
    allowed as (
        select d.class_no, d.nth, greatest(0, least(d.jobs, coalesce(d.max_assets - sum(d.jobs) over (
            partition by d.bundle order by d.nth rows between unbounded preceding and 1 preceding
        ), d.max_assets, d.jobs)))::integer as allowed
        from due as d
    )
    select
        c.class_no, c.operation_ids, c.group_key, c.calendar, c.priority, c.due_since, c.weight, c.jobs,
        c.missing_from, c.bundle, c.units, c.is_backfill, c.value, a.nth, a.allowed
    from class as c
    left join allowed as a using (class_no);
end;
$func$;
