-- Which assets of which class are granted, and why the others are not, each with its rank, its units and when it runs.
-- A bulk call serves assets of several classes; assets beyond the run's asset limit come last.

create or replace function headgate._spread_grants(
    p_entries headgate.plan_entry[],
    p_grants headgate.entry_grant[],
    p_calls headgate.class_call[],
    p_at timestamptz
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
as $func$
#variable_conflict use_column
begin
    return query
    with slice as (
        -- For each entry: the assets granted, those beyond the units, and those beyond the run's asset limit.
        select e.*, s.*
        from unnest(p_entries) as e
        join unnest(p_grants) as g using (place)
        cross join lateral (
            values
                (1::bigint, g.most, case when g.is_away then 'blocked' when g.is_blocked then 'breaker' end),
                (g.most + 1, e.many, case
                    when g.units_here = g.units_left or g.units_before + g.base + g.units * e.many > g.units_left
                        then case when g.is_shared then 'share' else 'quota' end
                    else 'reserve'
                end),
                (e.many + 1, e.ranks, 'max_assets')
        ) as s (first_nth, last_nth, reason)
        where s.first_nth <= s.last_nth
    ),
    spread as (
        select
            s.place, s.rank, s.many, s.reason, v.class_no,
            v.first_nth + greatest(s.first_nth - v."position", 1) - 1 as first_nth,
            v.first_nth + least(s.last_nth - v."position", v.last_nth - v.first_nth + 1) - 1 as last_nth,
            v.call_no,
            greatest(s.first_nth - 1, v."position") - (s.first_nth - 1) as position_in_call,
            s.first_nth as slice_nth,
            v.operation_id as served_operation_id, v.call_operation_id, v.sessions,
            v.base + v.units * (s.last_nth - s.first_nth + 1) as call_units,
            v.cost, v.other_cost
        from slice as s
        join unnest(p_calls) as v using (call_no)
        where s.first_nth <= v."position" + v.last_nth - v.first_nth + 1
            and s.last_nth > v."position"
        union all
        select
            s.place, s.rank, s.many, s.reason, s.class_no, s.first_nth + s.skipped, s.last_nth + s.skipped, null, null,
            s.first_nth, null, v.call_operation_id, null, null, v.cost, v.other_cost
        from slice as s
        left join (
            select distinct on (c.class_no) c.* from unnest(p_calls) as c order by c.class_no, c.is_in_call
        ) as v using (class_no)
        where s.class_no is not null
    )
    select
        s.class_no, s.first_nth, s.last_nth,
        s.rank + case when s.call_no is not null then 0 else s.slice_nth - 1 end,
        s.call_no,
        s.position_in_call,
        s.reason is null,
        s.reason,
        g.units_before + case when s.slice_nth > 1 then g.base + g.units * (s.slice_nth - 1) else 0 end,
        g.units + case when s.slice_nth = 1 then g.base else 0 end,
        g.units_here,
        case
            when s.reason in ('quota', 'share') then g.closes_at
            when s.reason = 'reserve' then coalesce(g.last_due_at, g.closes_at)
            when s.reason in ('blocked', 'breaker') then g.wait_until
            -- It is within the next run's limit, if units are left for it.
            when s.reason = 'max_assets'
                and g.units_before + g.base + g.units * (s.many + 1) > g.units_here
                and g.units > 0
                then greatest(g.closes_at, g.wait_until)
            else greatest(p_at, g.wait_until)
        end,
        g.provider_id,
        s.served_operation_id,
        s.call_operation_id,
        s.sessions,
        s.call_units, s.cost, s.other_cost
    from spread as s
    join unnest(p_grants) as g using (place);
end;
$func$;
