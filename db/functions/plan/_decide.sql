-- The planner's judgement, and the only one: ranks what is due, chooses covers, cuts where the budget ends, and says why.
-- Works on classes of assets that are alike, so it costs what is different and not what is many. The real plan, explain_plan
-- and forecast differ in where their classes come from. Touches nothing.

create or replace function headgate._decide(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_quota integer,
    p_step text,
    p_classes headgate.plan_class[],
    p_used jsonb default '{}'
)
returns table (
    class_no integer, first_nth bigint, last_nth bigint, rank bigint, cover_no integer, cover_position bigint,
    is_granted boolean, reason text, units_before bigint, units_each bigint, units_left bigint, run_at timestamptz,
    provider_id bigint, call_operation_id bigint, sessions date[], cost bigint, other_cost bigint
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set jit = off
as $func$
#variable_conflict use_column
begin
    return query
    with need as materialized (
        select n.* from headgate._needs(p_pipeline_id, p_params, p_step) as n
    ),
    budget as materialized (
        select b.* from headgate._budgets(p_pipeline_id, p_params, p_at, p_quota, p_used) as b
    ),
    part as materialized (
        -- A class and each of its operations: what one of its assets costs there.
        select c.class_no, n.*
        from unnest(p_classes) as c
        cross join unnest(c.operation_ids) as u (operation_id)
        join need as n using (operation_id)
    ),
    class as materialized (
        select
            c.*,
            p.bundle, p.units, p.max_assets, p.is_backfill, p.power,
            p.power * (1 + p.staleness_per_day * greatest(0, date_part('epoch', p_at - c.due_since)) / 86400)
                / greatest(1, p.units) as value
        from unnest(p_classes) as c
        join (
            select
                p.class_no, min(p.bundle) as bundle, sum(p.units) as units, min(p.max_assets) as max_assets,
                bool_and(p.is_backfill) as is_backfill, max(p.staleness_per_day) as staleness_per_day,
                power(min(c.weight), max(p.weight_power)) as power
            from part as p
            join unnest(p_classes) as c using (class_no)
            group by p.class_no
        ) as p using (class_no)
    ),
    due as materialized (
        select c.*, greatest(0, least(c.jobs, coalesce(c.max_assets - sum(c.jobs) over (
            partition by c.bundle order by c.nth rows between unbounded preceding and 1 preceding
        ), c.max_assets, c.jobs)))::integer as allowed
        from (
            select c.*, row_number() over (
                order by c.is_backfill, c.priority, c.value desc, c.bundle, c.group_key, c.calendar, c.due_since, c.weight,
                    c.missing_from, c.class_no
            ) as nth
            from class as c
            where c.due_since <= p_at
        ) as c
    ),
    cover as materialized (
        select v.*
        from headgate._covers(
            (
                select array_agg(row(
                    d.class_no, d.operation_ids, d.group_key, d.calendar, d.priority, d.due_since, d.weight, d.allowed,
                    d.missing_from
                )::headgate.plan_class)
                from due as d
            ),
            (select jsonb_agg(to_jsonb(n)) from need as n),
            p_at,
            coalesce(p_params #>> '{?,calendar}' = 'daily', false)
        ) as v
    ),
    entry as materialized (
        -- What is granted one by one: an asset's bundle, or a group's cover, of which there is one.
        select
            d.class_no, null::integer as cover_no, d.nth, v.class_no is not null and v.is_covered as is_rest,
            d.is_backfill, d.priority, d.value, d.bundle, d.group_key,
            case when coalesce(v.is_covered, false) then 0 else d.allowed end as many,
            case when coalesce(v.is_covered, false) then d.jobs - d.allowed else d.jobs end as ranks
        from due as d
        left join cover as v using (class_no)
        union all
        select
            null, v.cover_no, min(d.nth), false, bool_and(d.is_backfill), min(d.priority),
            sum(d.value * d.units * d.allowed) / greatest(1, max(v.call_units) * cardinality(v.sessions)),
            min(d.bundle), min(d.group_key), 1, 1
        from due as d
        join cover as v using (class_no)
        where v.is_covered
        group by v.cover_no, v.sessions
    ),
    ranked as materialized (
        select
            e.*,
            1 + coalesce(sum(e.ranks) over (order by e.place rows between unbounded preceding and 1 preceding), 0) as rank
        from (
            select e.*, row_number() over (
                order by e.is_backfill, e.priority, e.value desc, e.bundle, e.group_key, e.nth, e.cover_no nulls last
            ) as place
            from entry as e
        ) as e
    ),
    shut as materialized (
        select k.operation_id, k.closed_until from headgate.operation_gates as k where k.closed_until > p_at
    ),
    charge as materialized (
        select
            r.place, p.provider_id, sum(p.units)::bigint as units, max(p.patience) as patience,
            max(k.closed_until) as shut_until
        from ranked as r
        join part as p using (class_no)
        left join shut as k using (operation_id)
        group by r.place, p.provider_id
        union all
        select
            r.place, v.call_provider_id, min(v.call_units * cardinality(v.sessions))::bigint, min(n.patience),
            max(k.closed_until)
        from ranked as r
        join cover as v using (cover_no)
        join need as n using (call_operation_id)
        left join shut as k on k.operation_id = v.call_operation_id
        where v.is_covered
            and r.class_no is null
        group by r.place, v.call_provider_id
    ),
    kept as materialized (
        -- Units that will be wanted later in this window by what goes before the backfill, at their cheapest.
        select k.provider_id, sum(k.units)::bigint as units, max(k.last_due_at) as last_due_at
        from (
            select
                p.provider_id, max(c.due_since) as last_due_at,
                least(sum(c.jobs::bigint * p.units), min(p.call_units)) as units
            from class as c
            join part as p using (class_no)
            join budget as b using (provider_id)
            where c.due_since > p_at
                and c.due_since < b.closes_at
                and not p.is_backfill
            group by p.provider_id, p.operation_id, c.group_key
        ) as k
        group by k.provider_id
    ),
    weighed as materialized (
        select
            r.place, g.provider_id, g.units, r.many, b.closes_at, greatest(b.closed_until, g.shut_until) as closed_until,
            b.units_left, b.is_shared,
            k.last_due_at,
            coalesce(sum(g.units * r.many) over (
                partition by g.provider_id order by r.place rows between unbounded preceding and 1 preceding
            ), 0)::bigint as units_before,
            case
                when r.is_backfill then greatest(0, b.units_left - b.reserve - coalesce(k.units, 0))
                else b.units_left
            end as units_here,
            coalesce(b.closed_until > p_at + g.patience, false) as is_closed,
            coalesce(g.shut_until > p_at + g.patience, false) as is_broken
        from ranked as r
        join charge as g using (place)
        join budget as b using (provider_id)
        left join kept as k using (provider_id)
    ),
    judged as materialized (
        select distinct on (w.place)
            w.*,
            min(w.granted) over (partition by w.place) as most,
            bool_or(w.is_closed or w.is_broken) over (partition by w.place) as is_shut,
            bool_or(w.is_closed) over (partition by w.place) as is_away,
            max(w.closed_until) over (partition by w.place) as shut_until
        from (
            select
                w.*,
                case
                    when w.units = 0 or w.units_here is null then w.many
                    else greatest(0, least(w.many, (w.units_here - w.units_before) / w.units))
                end as granted
            from weighed as w
        ) as w
        order by w.place, w.granted - w.many, w.units desc, w.provider_id
    ),
    slice as (
        -- Of each class or cover: what is granted, what the units do not reach, what the run's ceiling keeps out.
        select r.place, s.*
        from ranked as r
        join judged as j using (place)
        cross join lateral (
            values
                (1::bigint, j.most, case when j.is_away then 'closed' when j.is_shut then 'breaker' end),
                (j.most + 1, r.many::bigint, case
                    when j.units_here = j.units_left or j.units_before + j.units * r.many > j.units_left
                        then case when j.is_shared then 'share' else 'quota' end
                    else 'reserve'
                end),
                (r.many + 1::bigint, r.ranks::bigint, 'max_assets')
        ) as s (first_nth, last_nth, reason)
        where s.first_nth <= s.last_nth
    ),
    spread as (
        -- A cover is for all its classes; what their ceilings keep out follows behind.
        select
            s.place, s.reason, d.class_no, 1::bigint as first_nth, d.allowed::bigint as last_nth, v.cover_no,
            coalesce(sum(d.allowed) over (
                partition by v.cover_no order by d.nth rows between unbounded preceding and 1 preceding
            ), 0)::bigint as cover_position,
            v.call_operation_id, v.sessions, v.cost, v.other_cost
        from slice as s
        join ranked as r using (place)
        join cover as v using (cover_no)
        join due as d on d.class_no = v.class_no
        where v.is_covered
            and d.allowed > 0
        union all
        select
            s.place, s.reason, r.class_no,
            s.first_nth + case when r.is_rest then d.allowed else 0 end,
            s.last_nth + case when r.is_rest then d.allowed else 0 end,
            null, null, v.call_operation_id, null, v.cost, v.other_cost
        from slice as s
        join ranked as r using (place)
        join due as d using (class_no)
        left join cover as v using (class_no)
    )
    select
        s.class_no,
        s.first_nth,
        s.last_nth,
        r.rank + case when s.cover_no is not null then 0 else s.first_nth - 1 - case when r.is_rest then d.allowed else 0 end end,
        s.cover_no,
        s.cover_position,
        s.reason is null,
        s.reason,
        j.units_before + case when s.cover_no is null and not r.is_rest then (s.first_nth - 1) * j.units else 0 end,
        j.units,
        j.units_here,
        case
            when s.reason in ('quota', 'share') then j.closes_at
            when s.reason = 'reserve' then coalesce(j.last_due_at, j.closes_at)
            when s.reason in ('closed', 'breaker') then j.shut_until
            else greatest(p_at, j.shut_until)
        end,
        j.provider_id,
        s.call_operation_id,
        s.sessions,
        s.cost,
        s.other_cost
    from spread as s
    join ranked as r using (place)
    join judged as j using (place)
    join due as d on d.class_no = s.class_no;
end;
$func$;
