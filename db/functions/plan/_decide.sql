<<<<<<< 24eb62dde5cba79884185811666c7f43a9af811f
-- The planner's only decision function: ranks what is due, chooses between single, batch and bulk calls, stops where
-- the budget ends, and gives reasons. It works on classes of similar assets, so its cost depends on the number of
-- classes. The real plan, explain_plan and forecast differ only in the source of their classes. Changes nothing.
=======
-- The planner's decision, and the only one: ranks what is due, chooses bulk calls, cuts where the budget ends, and says
-- why. It works on classes of assets that are alike, so its cost grows with their variety, not their number. The real
-- plan, explain_plan and forecast differ only in where their classes come from. Changes nothing. Its settings hold in
-- the steps that it calls.
>>>>>>> 4485b326061090e35bd7f1afc12ba118e15d051e

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
    class_no integer, first_nth bigint, last_nth bigint, rank bigint, call_no integer, position_in_call bigint,
    is_granted boolean, reason text, units_before bigint, units_each bigint, units_left bigint, run_at timestamptz,
    provider_id bigint, served_operation_id bigint, call_operation_id bigint, sessions date[], call_units bigint,
    cost bigint, other_cost bigint
)
language plpgsql
stable
rows 1000
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set jit = off
as $func$
declare
    v_is_daily constant boolean := coalesce(p_params #>> '{?,calendar}' = 'daily', false);
    v_needs constant headgate.plan_need[] := array(
        select n from headgate._needs(p_pipeline_id, p_params, p_step, p_at) as n
    );
    v_budgets constant headgate.plan_budget[] := array(
        select b from headgate._budgets(p_pipeline_id, p_params, p_at, p_quota, p_used) as b
    );
    v_classes constant headgate.ranked_class[] := array(
        select c from headgate._rank_classes(p_classes, v_needs, p_at) as c
    );
    v_covers constant headgate.class_cover[] := array(
        select v from headgate._choose_covers(v_classes, v_needs, p_at, v_is_daily) as v
    );
    v_entries constant headgate.plan_entry[] := array(
        select e from headgate._rank_entries(v_classes, v_covers, v_needs) as e
    );
    v_grants constant headgate.entry_grant[] := array(
        select g from headgate._grant_units(v_entries, v_classes, v_covers, v_needs, v_budgets, p_at) as g
    );
begin
<<<<<<< 24eb62dde5cba79884185811666c7f43a9af811f
    return query
    with need as materialized (
        select n.* from headgate._needs(p_pipeline_id, p_params, p_step, p_at) as n
    ),
    budget as materialized (
        select b.* from headgate._budgets(p_pipeline_id, p_params, p_at, p_quota, p_used) as b
    ),
    part as materialized (
        -- A class with each of its operations, and their cost per asset.
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
                / greatest(1, p.units_ranked) as value
        from unnest(p_classes) as c
        join (
            select
                p.class_no, min(p.bundle) as bundle, sum(p.units) as units,
                sum(p.units) / case when bool_or(p.is_tied) then count(*) else 1 end as units_ranked,
                min(p.max_assets) as max_assets,
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
                order by c.is_backfill, c.priority, c.value desc, c.bundle, c.group_key, c.calendar, c.due_since,
                    c.weight, c.missing_from, c.class_no
            ) as nth
            from class as c
            where c.due_since <= p_at
        ) as c
    ),
    asked as materialized (
        select
            (
                select array_agg(row(
                    d.class_no, d.operation_ids, d.group_key, d.calendar, d.priority, d.due_since, d.weight, d.allowed,
                    d.missing_from
                )::headgate.plan_class order by d.nth)
                from due as d
            ) as classes,
            (select jsonb_agg(to_jsonb(n)) from need as n) as needs
    ),
    call_choice as materialized (
        -- Which assets of a class are served by bulk or batch calls, and which are not; each call, or set of calls, has
        -- a number.
        select
            v.class_no, v.operation_id,
            case
                when v.is_in_call
                    then dense_rank() over (order by v.is_in_call desc, v.is_batch, v.call_no)::integer
            end as call_no,
            v.sessions, v.is_in_call, v.first_nth, v.last_nth, v."position", v.cost, v.other_cost, v.call_operation_id,
            v.call_provider_id, v.call_units::bigint * cardinality(v.sessions) as base, v.call_units_per_asset as units
        from (
            select false as is_batch, c.*
            from asked as a
            cross join lateral headgate._bulk_calls(
                a.classes, a.needs, p_at, coalesce(p_params #>> '{?,calendar}' = 'daily', false)
            ) as c
            union all
            select true, g.* from asked as a cross join lateral headgate._batch_calls(a.classes, a.needs) as g
        ) as v
    ),
    served as materialized (
        -- Within a class, assets for single calls rank behind those served by bulk or batch calls.
        select v.class_no, max(v.last_nth) as in_calls
        from call_choice as v
        where v.is_in_call
        group by v.class_no
    ),
    entry as materialized (
        -- The units of granting: an asset's bundle, all of a group's bulk calls, or one batch.
        select
            d.class_no, null::integer as call_no, d.nth, coalesce(v.in_calls, 0) as skipped, d.is_backfill, d.priority,
            d.value, d.bundle, d.group_key, d.allowed - coalesce(v.in_calls, 0) as many,
            d.jobs - coalesce(v.in_calls, 0) as ranks
        from due as d
        left join served as v using (class_no)
        union all
        select
            null, v.call_no, min(d.nth), 0, bool_and(d.is_backfill), min(d.priority),
            sum(d.value * d.units * (v.last_nth - v.first_nth + 1))
                / greatest(1, max(v.base) + sum((d.units - n.units + v.units) * (v.last_nth - v.first_nth + 1))),
            min(d.bundle), min(d.group_key), sum(v.last_nth - v.first_nth + 1)::bigint, 1
        from due as d
        join call_choice as v using (class_no)
        join need as n on n.operation_id = v.operation_id
        where v.is_in_call
        group by v.call_no
    ),
    ranked as materialized (
        select
            e.*,
            1 + coalesce(
                sum(e.ranks) over (order by e.place rows between unbounded preceding and 1 preceding), 0
            )::bigint as rank
        from (
            select e.*, row_number() over (
                order by e.is_backfill, e.priority, e.value desc, e.bundle, e.group_key, e.nth, e.call_no nulls last
            ) as place
            from entry as e
        ) as e
    ),
    blocked_call as materialized (
        select k.operation_id, k.blocked_until from headgate.operation_breakers as k where k.blocked_until > p_at
    ),
    charge as materialized (
        -- The cost of each asset, and the effect of the call that serves them all.
        select
            c.place, c.provider_id, max(c.base) as base, sum(c.units)::bigint as units, max(c.max_wait) as max_wait,
            max(k.blocked_until) as wait_until
        from (
            select r.place, p.provider_id, 0::bigint as base, p.units, p.max_wait, p.operation_id
            from ranked as r
            join part as p using (class_no)
            union all
            select distinct r.place, v.call_provider_id, v.base, v.units, n.max_wait, v.call_operation_id
            from ranked as r
            join call_choice as v using (call_no)
            join need as n on n.operation_id = v.operation_id
            union all
            select distinct r.place, p.provider_id, 0::bigint, p.units, p.max_wait, p.operation_id
            from ranked as r
            join call_choice as v using (call_no)
            join part as p on p.class_no = v.class_no and p.operation_id <> v.operation_id
        ) as c
        left join blocked_call as k using (operation_id)
        group by c.place, c.provider_id
    ),
    kept as materialized (
        -- Units needed later in this window by work with precedence over the backfill, at the lowest cost.
        select k.provider_id, sum(k.units)::bigint as units, max(k.last_due_at) as last_due_at
        from (
            select
                p.provider_id, max(c.due_since) as last_due_at,
                least(
                    sum(c.jobs::bigint * p.units),
                    case when min(p.batch_size) is null then min(p.call_units) else headgate._batch_cost(
                        sum(c.jobs), min(p.batch_size), min(p.call_units), min(p.call_units_per_asset)
                    ) end
                ) as units
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
            r.place, g.provider_id, g.base, g.units, r.many, b.closes_at,
            greatest(b.blocked_until, g.wait_until) as blocked_until,
            b.units_left, b.is_shared,
            k.last_due_at,
            coalesce(sum(g.base + g.units * r.many) over (
                partition by g.provider_id order by r.place rows between unbounded preceding and 1 preceding
            ), 0)::bigint as units_before,
            case
                when r.is_backfill then greatest(0, b.units_left - b.reserve - coalesce(k.units, 0))
                else b.units_left
            end as units_here,
            coalesce(b.blocked_until > p_at + g.max_wait, false) as is_provider_blocked,
            coalesce(g.wait_until > p_at + g.max_wait, false) as is_broken
        from ranked as r
        join charge as g using (place)
        join budget as b using (provider_id)
        left join kept as k using (provider_id)
    ),
    judged as materialized (
        select distinct on (w.place)
            w.*,
            min(w.granted) over (partition by w.place) as most,
            bool_or(w.is_provider_blocked or w.is_broken) over (partition by w.place) as is_blocked,
            bool_or(w.is_provider_blocked) over (partition by w.place) as is_away,
            max(w.blocked_until) over (partition by w.place) as wait_until
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
        order by w.place, w.granted - w.many, w.base + w.units desc, w.provider_id
    ),
    slice as (
        -- For each class or call: assets granted, those beyond the budget, and those beyond the run's asset limit.
        select r.place, s.*
        from ranked as r
        join judged as j using (place)
        cross join lateral (
            values
                (1::bigint, j.most, case when j.is_away then 'blocked' when j.is_blocked then 'breaker' end),
                (j.most + 1, r.many::bigint, case
                    when j.units_here = j.units_left or j.units_before + j.base + j.units * r.many > j.units_left
                        then case when j.is_shared then 'share' else 'quota' end
                    else 'reserve'
                end),
                (r.many + 1::bigint, r.ranks::bigint, 'max_assets')
        ) as s (first_nth, last_nth, reason)
        where s.first_nth <= s.last_nth
    ),
    spread as (
        -- A call serves assets of several classes; those beyond their limits follow.
        select
            s.place, s.reason, v.class_no,
            v.first_nth + greatest(s.first_nth - v."position", 1) - 1 as first_nth,
            v.first_nth + least(s.last_nth - v."position", v.last_nth - v.first_nth + 1) - 1 as last_nth,
            0::bigint as skipped, v.call_no,
            greatest(s.first_nth - 1, v."position") - (s.first_nth - 1) as position_in_call,
            s.first_nth as slice_nth,
            v.operation_id as served_operation_id, v.call_operation_id, v.sessions,
            v.base + v.units * (s.last_nth - s.first_nth + 1) as call_units,
            v.cost, v.other_cost
        from slice as s
        join ranked as r using (place)
        join call_choice as v using (call_no)
        where s.first_nth <= v."position" + v.last_nth - v.first_nth + 1
            and s.last_nth > v."position"
        union all
        select
            s.place, s.reason, r.class_no, s.first_nth + r.skipped, s.last_nth + r.skipped, r.skipped, null, null,
            s.first_nth, null, v.call_operation_id, null, null, v.cost, v.other_cost
        from slice as s
        join ranked as r using (place)
        left join (
            select distinct on (c.class_no) c.* from call_choice as c order by c.class_no, c.is_in_call
        ) as v using (class_no)
        where r.class_no is not null
    )
    select
        s.class_no, s.first_nth, s.last_nth,
        r.rank + case when s.call_no is not null then 0 else s.slice_nth - 1 end,
        s.call_no,
        s.position_in_call,
        s.reason is null,
        s.reason,
        j.units_before + case when s.slice_nth > 1 then j.base + j.units * (s.slice_nth - 1) else 0 end,
        j.units + case when s.slice_nth = 1 then j.base else 0 end,
        j.units_here,
        case
            when s.reason in ('quota', 'share') then j.closes_at
            when s.reason = 'reserve' then coalesce(j.last_due_at, j.closes_at)
            when s.reason in ('blocked', 'breaker') then j.wait_until
            -- The next run's asset limit admits it, if there are units left.
            when s.reason = 'max_assets'
                and j.units_before + j.base + j.units * (r.many + 1) > j.units_here
                and j.units > 0
                then greatest(j.closes_at, j.wait_until)
            else greatest(p_at, j.wait_until)
        end,
        j.provider_id,
        s.served_operation_id,
        s.call_operation_id,
        s.sessions,
        s.call_units, s.cost, s.other_cost
    from spread as s
    join ranked as r using (place)
    join judged as j using (place);
=======
    return query select s.* from headgate._spread_grants(v_entries, v_grants, v_covers, p_at) as s;
>>>>>>> 4485b326061090e35bd7f1afc12ba118e15d051e
end;
$func$;
