-- What is due. Reads one index per operation and priority, so it costs what is due and not what exists.

create or replace function headgate._due_pairs(
    p_operation_ids bigint[],
    p_at timestamptz,
    p_limit bigint default null
)
returns table (operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz)
language sql
stable
rows 1000
set search_path = pg_catalog, pg_temp
as $func$
    -- The keys come in order, so a limit stops at the first ones that fill it.
    select d.operation_id, d.asset_id, d.priority, d.next_due_at
    from (
        select o.operation_id, p.priority::smallint as priority
        from headgate.operations as o
        cross join generate_series(o.priority * 10, o.priority * 10 + 9) as p (priority)
        where o.operation_id = any (p_operation_ids)
        order by p.priority, o.operation_id
    ) as k
    cross join lateral (
        select s.operation_id, s.asset_id, s.priority, s.next_due_at
        from headgate.asset_processing_state as s
        where s.operation_id = k.operation_id
            and s.priority = k.priority
            and s.next_due_at <= p_at
            and s.chunk_id is null
        order by s.next_due_at
        limit p_limit
    ) as d
    order by k.priority, k.operation_id
    limit p_limit;
$func$;

-- Due pairs of a pipeline, each with its step and what the ranking needs. A round takes the pairs it is given instead.
create or replace function headgate._candidates(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_step text default null,
    p_execution_id bigint default null,
    p_assets bigint[] default null
)
returns table (
    operation_id bigint, asset_id bigint, step text, group_key text, priority smallint,
    due_since timestamptz, weight double precision
)
language sql
stable
rows 10000
set search_path = pg_catalog, pg_temp
set enable_nestloop = on
as $func$
    with covered as materialized (
        select array_agg(o.operation_id) as operation_ids
        from headgate._planned_operations(p_pipeline_id, p_params, p_step) as o
    ),
    selected as materialized (
        select
            headgate._selected_assets(p_pipeline_id, p_params) as asset_ids,
            (select g.items from headgate._selected_groups(p_pipeline_id, p_params) as g limit 1) as group_items,
            (select g.attribute from headgate._selected_groups(p_pipeline_id, p_params) as g limit 1) as group_attribute
    ),
    due as materialized (
        select d.operation_id, d.asset_id, d.priority, d.due_since, a.group_key, a.weight
        from headgate._due_pairs((select c.operation_ids from covered as c), p_at) as d
        join headgate.assets as a using (asset_id)
        cross join selected as s
        where p_execution_id is null
            and a.is_active
            and (p_assets is null or d.asset_id = any (p_assets))
            and (s.asset_ids is null or d.asset_id = any (s.asset_ids))
            and (
                s.group_items is null
                or a.group_key = any (s.group_items)
                or a.attributes ->> s.group_attribute = any (s.group_items)
            )
        union all
        select f.operation_id, f.asset_id, f.priority, f.due_since, f.group_key, f.weight
        from headgate._failed_pairs(p_execution_id, p_step) as f
        where p_execution_id is not null
    ),
    step_of as materialized (
        select k.operation_id, k.group_key, s.step
        from (select distinct d.operation_id, d.group_key from due as d) as k
        join headgate.operations as o using (operation_id)
        cross join lateral (
            select s.step
            from headgate.pipeline_steps as s
            where s.pipeline_id = p_pipeline_id
                and o.name = any (s.operations)
                and (s.group_keys is null or k.group_key = any (s.group_keys))
                and (p_step is null or s.step = p_step)
            order by s.position
            limit 1
        ) as s
    )
    select d.operation_id, d.asset_id, s.step, d.group_key, d.priority, d.due_since, d.weight
    from due as d
    join step_of as s using (operation_id, group_key);
$func$;

-- Jobs of a step whose last round ended failed, deferred or cancelled, that nobody holds and no other run has done since.
create or replace function headgate._failed_pairs(
    p_execution_id bigint,
    p_step text
)
returns table (
    operation_id bigint, asset_id bigint, priority smallint, due_since timestamptz, group_key text,
    weight double precision, status text, by_fault boolean
)
language sql
stable
rows 100
set search_path = pg_catalog, pg_temp
as $func$
    with last_round as (
        select distinct on (d.operation_id, d.asset_id) d.*
        from headgate.asset_processing_details as d
        join headgate.process_executions as e using (execution_id)
        where d.execution_id = p_execution_id
            and d.step = p_step
            and d.ended_at >= e.started_at
        order by d.operation_id, d.asset_id, d.round desc
    )
    select
        l.operation_id, l.asset_id, s.priority, coalesce(s.next_due_at, l.ended_at), a.group_key, a.weight, l.status,
        headgate._is_fault(l.reason)
    from last_round as l
    join headgate.asset_processing_state as s using (operation_id, asset_id)
    join headgate.assets as a using (asset_id)
    where l.status in ('failed', 'deferred', 'cancelled')
        and a.is_active
        and s.chunk_id is null
        and coalesce(s.succeeded_at <= l.ended_at, true);
$func$;

-- Deferred by the provider's or the house's fault, and not for want of quota: the reason says so by its first word.
-- Meant to inline (no pinned path): it is asked once per job.
create or replace function headgate._is_fault(p_reason text)
returns boolean
language sql
immutable
as $func$
    select coalesce(p_reason like 'provider: %' or p_reason like 'house: %', false);
$func$;
