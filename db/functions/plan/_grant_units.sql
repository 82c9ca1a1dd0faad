-- How many assets of each entry the units are enough for, in the order of ranks, and what prevents more. If an entry
-- needs units of several providers, the provider that allows the fewest decides.

create or replace function headgate._grant_units(
    p_entries headgate.plan_entry[],
    p_classes headgate.ranked_class[],
    p_calls headgate.class_call[],
    p_needs headgate.plan_need[],
    p_budgets headgate.plan_budget[],
    p_at timestamptz
)
returns setof headgate.entry_grant
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query
    with weighed as (
        select
            e.place, c.provider_id, c.base, c.units, e.many, b.closes_at,
            greatest(b.blocked_until, c.wait_until) as blocked_until,
            b.units_left, b.is_shared,
            k.last_due_at,
            coalesce(sum(c.base + c.units * e.many) over (
                partition by c.provider_id order by e.place rows between unbounded preceding and 1 preceding
            ), 0)::bigint as units_before,
            case
                when e.is_backfill then greatest(0, b.units_left - b.reserve - coalesce(k.units, 0))
                else b.units_left
            end as units_here,
            coalesce(b.blocked_until > p_at + c.max_wait, false) as is_provider_blocked,
            coalesce(c.wait_until > p_at + c.max_wait, false) as is_broken
        from unnest(p_entries) as e
        join headgate._entry_charges(p_entries, p_classes, p_calls, p_needs, p_at) as c using (place)
        join unnest(p_budgets) as b using (provider_id)
        left join headgate._units_kept(p_classes, p_needs, p_budgets, p_at) as k using (provider_id)
    )
    select distinct on (w.place)
        w.place, w.provider_id, w.base, w.units, w.units_before, w.units_here, w.units_left, w.is_shared, w.closes_at,
        w.last_due_at,
        min(w.granted) over (partition by w.place),
        bool_or(w.is_provider_blocked) over (partition by w.place),
        bool_or(w.is_provider_blocked or w.is_broken) over (partition by w.place),
        max(w.blocked_until) over (partition by w.place)
    from (
        select
            w.*,
            case
                when w.base + w.units = 0 or w.units_here is null then w.many
                when w.units = 0 then case when w.units_before + w.base <= w.units_here then w.many else 0 end
                else greatest(0, least(w.many, (w.units_here - w.units_before - w.base) / w.units))
            end as granted
        from weighed as w
    ) as w
    order by w.place, w.granted - w.many, w.base + w.units desc, w.provider_id;
end;
$func$;

-- What an entry costs at each provider, per asset and for the call that serves all of them; and how long the breakers
-- of its calls block it.
create or replace function headgate._entry_charges(
    p_entries headgate.plan_entry[],
    p_classes headgate.ranked_class[],
    p_calls headgate.class_call[],
    p_needs headgate.plan_need[],
    p_at timestamptz
)
returns table (
    place bigint, provider_id bigint, base bigint, units bigint, max_wait interval, wait_until timestamptz
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
begin
    return query
    with part as materialized (
        select c.class_no, n.operation_id, n.provider_id, n.units, n.max_wait
        from unnest(p_classes) as c
        cross join unnest(c.operation_ids) as u (operation_id)
        join unnest(p_needs) as n using (operation_id)
    )
    select
        c.place, c.provider_id, max(c.base), sum(c.units)::bigint, max(c.max_wait), max(k.blocked_until)
    from (
        select e.place, p.provider_id, 0::bigint as base, p.units, p.max_wait, p.operation_id
        from unnest(p_entries) as e
        join part as p using (class_no)
        union all
        select distinct e.place, v.call_provider_id, v.base, v.units, n.max_wait, v.call_operation_id
        from unnest(p_entries) as e
        join unnest(p_calls) as v using (call_no)
        join unnest(p_needs) as n on n.operation_id = v.operation_id
        union all
        select distinct e.place, p.provider_id, 0::bigint, p.units, p.max_wait, p.operation_id
        from unnest(p_entries) as e
        join unnest(p_calls) as v using (call_no)
        join part as p on p.class_no = v.class_no and p.operation_id <> v.operation_id
    ) as c
    left join headgate.breakers as k on k.operation_id = c.operation_id and k.blocked_until > p_at
    group by c.place, c.provider_id;
end;
$func$;

-- Units that work ranked before the backfill will need later in this window, at its cheapest.
create or replace function headgate._units_kept(
    p_classes headgate.ranked_class[],
    p_needs headgate.plan_need[],
    p_budgets headgate.plan_budget[],
    p_at timestamptz
)
returns table (provider_id bigint, units bigint, last_due_at timestamptz)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
begin
    return query
    select k.provider_id, sum(k.units)::bigint, max(k.last_due_at)
    from (
        select
            n.provider_id, max(c.due_since) as last_due_at,
            least(
                sum(c.jobs::bigint * n.units),
                case when min(n.batch_size) is null then min(n.call_units) else headgate._batch_cost(
                    sum(c.jobs), min(n.batch_size), min(n.call_units), min(n.call_units_per_asset)
                ) end
            ) as units
        from unnest(p_classes) as c
        cross join unnest(c.operation_ids) as u (operation_id)
        join unnest(p_needs) as n using (operation_id)
        join unnest(p_budgets) as b using (provider_id)
        where c.due_since > p_at
            and c.due_since < b.closes_at
            and not n.is_backfill
        group by n.provider_id, n.operation_id, c.group_key
    ) as k
    group by k.provider_id;
end;
$func$;
