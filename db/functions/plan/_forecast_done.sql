-- Apply the success of granted work to a forecast's classes: split partly granted classes, advance due times, open
-- followers, wake dependents, and merge classes that have become equal.

create or replace function headgate._forecast_done(
    p_options headgate.plan_options,
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_classes headgate.forecast_class[],
    p_done jsonb
)
returns headgate.forecast_class[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_nestloop = off
set jit = off
as $func$
begin
    return (
        with done as materialized (
            select d.class_no, o.operation_id, d.first, d.last
            from jsonb_to_recordset(p_done) as d (class_no integer, operation_ids bigint[], first integer, last integer)
            cross join unnest(d.operation_ids) as o (operation_id)
            union all
            select c.class_no, n.operation_id, 1, c.assets
            from unnest(p_classes) as c
            cross join unnest(c.needs) as n
            where n.is_held
        ),
        cut as (
            -- The points at which a class is split.
            select c.class_no, 1 as first from unnest(p_classes) as c
            union
            select d.class_no, d.first from done as d
            union
            select d.class_no, d.last + 1
            from done as d
            join unnest(p_classes) as c using (class_no)
            where d.last < c.assets
        ),
        part as materialized (
            select
                c.*, b.first as from_nth,
                lead(b.first, 1, c.assets + 1) over (partition by c.class_no order by b.first) - b.first as many
            from unnest(p_classes) as c
            join cut as b using (class_no)
        ),
        met as materialized (
            select p.class_no, p.from_nth, d.operation_id
            from part as p
            join done as d using (class_no)
            where p.from_nth between d.first and d.last
        ),
        stirred as materialized (
            -- Followers that become due, and dependents that wake.
            select
                m.class_no, m.from_nth, l.operation_id, bool_or(l.is_follower) as is_opened,
                bool_or(not l.is_follower) as is_woken
            from met as m
            join (
                select o.operation_id, o.follows_operation_id as leader_id, true as is_follower
                from headgate.operations as o
                where o.follows_operation_id is not null
                union all
                select i.operation_id, i.input_operation_id, false
                from headgate.operation_inputs as i
            ) as l on l.leader_id = m.operation_id
            group by m.class_no, m.from_nth, l.operation_id
        ),
        moved as materialized (
            -- Only what was done or opened: each needs a look at its calendar.
            select
                k.operation_id, coalesce(k.calendar, '') as calendar_key, m.next_due_at,
                case when k.is_batched then '-infinity' else m.missing_from end as missing_from
            from (
                select distinct n.operation_id, p.calendar, n.batch_size is not null as is_batched
                from (
                    select m.class_no, m.operation_id from met as m
                    union
                    select s.class_no, s.operation_id from stirred as s where s.is_opened
                ) as u
                join part as p using (class_no)
                join unnest(p_needs) as n using (operation_id)
            ) as k
            cross join lateral headgate._forecast_rule(p_options, p_at, k.operation_id, k.calendar) as m
        ),
        after as (
            select
                p.class_no, p.from_nth, p.group_key, p.calendar, p.weight, p.asset_id, p.many,
                array_agg(row(
                    p.operation_id,
                    p.priority,
                    case
                        when (d.operation_id is not null or f.is_opened) and o.due_rule = 'function'
                            then headgate._next_due_at(o, p.asset_id, p.calendar, p_at, p_at)
                        when d.operation_id is null and f.is_opened and o.due_rule = 'once'
                            then case when p.is_new then p_at end
                        when d.operation_id is not null or f.is_opened then m.next_due_at
                        when f.is_woken then least(p.next_due_at, p_at)
                        else p.next_due_at
                    end,
                    case
                        when p.missing_from = 'infinity' then p.missing_from
                        when d.operation_id is not null or f.is_opened then m.missing_from
                        else p.missing_from
                    end,
                    p.is_new and d.operation_id is null,
                    false,
                    p.is_left_out and d.operation_id is null and not coalesce(f.is_opened or f.is_woken, false)
                )::headgate.forecast_need order by p.operation_id) as needs
            from (
                select
                    p.class_no, p.from_nth, p.group_key, p.calendar, p.weight, p.asset_id, p.many,
                    coalesce(p.calendar, '') as calendar_key, n.*
                from part as p
                cross join unnest(p.needs) as n
            ) as p
            join headgate.operations as o using (operation_id)
            left join moved as m on m.operation_id = p.operation_id and m.calendar_key = p.calendar_key
            left join met as d
                on d.class_no = p.class_no and d.from_nth = p.from_nth and d.operation_id = p.operation_id
            left join stirred as f
                on f.class_no = p.class_no and f.from_nth = p.from_nth and f.operation_id = p.operation_id
            group by p.class_no, p.from_nth, p.group_key, p.calendar, p.weight, p.asset_id, p.many
        ),
        alike as (
            select a.group_key, a.calendar, a.weight, a.asset_id, a.needs, sum(a.many)::integer as assets
            from after as a
            group by a.group_key, a.calendar, a.weight, a.asset_id, a.needs
        )
        select coalesce(array_agg(row(
            n.nth, n.group_key, n.calendar, n.weight, n.asset_id, n.assets, n.needs
        )::headgate.forecast_class), '{}')
        from (select row_number() over () as nth, a.* from alike as a) as n
    );
end;
$func$;

-- When an operation that succeeded at a moment is due again, and its new watermark.
create or replace function headgate._forecast_rule(
    p_options headgate.plan_options,
    p_at timestamptz,
    p_operation_id bigint,
    p_calendar text
)
returns table (operation_id bigint, calendar text, next_due_at timestamptz, missing_from date)
language sql
stable
rows 1
set search_path = pg_catalog, pg_temp
as $func$
    select
        o.operation_id,
        p_calendar,
        case o.due_rule
            when 'every' then p_at + o.due_every
            when 'run' then p_at + interval '1 microsecond'  -- the next run, and no backlog of this one
            when 'session' then case
                when p_options.is_daily then date_trunc('day', p_at, 'UTC') + interval '24 hours'
                else headgate._session_due_at(o.provider_id, p_calendar, null, p_at, p_at)
            end
        end,
        case
            when o.due_rule <> 'session' or not exists (
                select from headgate.operations as c where c.bulk_call_of_operation_id = o.operation_id
            ) then null
            when p_options.is_daily then (p_at at time zone 'UTC')::date
            else (
                select max(s.session)
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.session <= (p_at at time zone 'UTC')::date + 1
                    and s.closes_at <= (select p_at - headgate._publication_lag(o.provider_id, p_calendar))
            )
        end
    from headgate.operations as o
    where o.operation_id = p_operation_id;
$func$;
