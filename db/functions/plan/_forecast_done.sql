-- What success does to a forecast's classes: those of which only some assets were granted are divided, due times move on,
-- followers open, dependents wake, and classes that have become alike are one again.

create or replace function headgate._forecast_done(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_classes headgate.forecast_class[],
    p_done jsonb
)
returns headgate.forecast_class[]
language sql
stable
set search_path = pg_catalog, pg_temp
set jit = off
as $func$
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
    moved as materialized (
        select m.*
        from (
            select o.operation_id, c.calendar
            from (select distinct c.calendar from unnest(p_classes) as c) as c
            cross join headgate._needs(p_pipeline_id, p_params) as o
        ) as k
        cross join lateral headgate._forecast_rule(
            p_params, p_at, k.operation_id, k.calendar
        ) as m
    ),
    part as materialized (
        -- Assets of a class to which the same was done.
        select
            c.*, b.first as from_nth,
            lead(b.first, 1, c.assets + 1) over (partition by c.class_no order by b.first) - b.first as many
        from unnest(p_classes) as c
        cross join lateral (
            select 1 as first
            union
            select d.first from done as d where d.class_no = c.class_no
            union
            select d.last + 1 from done as d where d.class_no = c.class_no and d.last < c.assets
        ) as b
    ),
    after as (
        select
            p.class_no, p.from_nth, p.group_key, p.calendar, p.weight, p.asset_id, p.many,
            array_agg(row(
                n.operation_id,
                n.priority,
                case
                    when d.operation_id is not null and o.due_rule = 'function'
                        then headgate._next_due_at(o, p.asset_id, p.calendar, p_at, p_at)
                    when d.operation_id is null and f.is_opened and o.due_rule = 'once'
                        then case when n.is_new then p_at end
                    when d.operation_id is not null or f.is_opened then m.next_due_at
                    when f.is_woken then least(n.next_due_at, p_at)
                    else n.next_due_at
                end,
                case when d.operation_id is not null or f.is_opened then m.missing_from else n.missing_from end,
                n.is_new and d.operation_id is null,
                false
            )::headgate.forecast_need order by n.operation_id) as needs
        from part as p
        cross join unnest(p.needs) as n
        join headgate.operations as o using (operation_id)
        join moved as m on m.operation_id = n.operation_id and m.calendar is not distinct from p.calendar
        left join done as d
            on d.class_no = p.class_no and d.operation_id = n.operation_id and p.from_nth between d.first and d.last
        cross join lateral (
            select
                bool_or(e.operation_id = o.follows_operation_id) as is_opened,
                bool_or(i.input_operation_id is not null) as is_woken
            from done as e
            left join headgate.operation_inputs as i
                on i.operation_id = n.operation_id and i.input_operation_id = e.operation_id
            where e.class_no = p.class_no
                and p.from_nth between e.first and e.last
        ) as f
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
    from (select row_number() over () as nth, a.* from alike as a) as n;
$func$;

-- When an operation that succeeded at a moment is due again, and how far its data reach then.
create or replace function headgate._forecast_rule(
    p_params jsonb,
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
            when 'session' then case
                when p_params #>> '{?,calendar}' = 'daily' then date_trunc('day', p_at, 'UTC') + interval '24 hours'
                else headgate._session_due_at(o.provider_id, p_calendar, null, p_at, p_at)
            end
        end,
        case
            when o.due_rule <> 'session' or not exists (
                select from headgate.operations as c where c.alternative_of_operation_id = o.operation_id
            ) then null
            when p_params #>> '{?,calendar}' = 'daily' then (p_at at time zone 'UTC')::date
            else (
                select max(s.session)
                from headgate.trading_sessions as s
                where s.calendar = p_calendar
                    and s.closes_at <= p_at - headgate._publication_lag(o.provider_id, p_calendar)
            )
        end
    from headgate.operations as o
    where o.operation_id = p_operation_id;
$func$;
