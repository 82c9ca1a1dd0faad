-- The plan: the one piece of SQL behind check_quota, enqueue_step, explain_plan and explain_summary.
-- Ranks what is due, cuts where the budget ends, and says why. Touches nothing.

create or replace function headgate._plan(
    p_pipeline_id bigint,
    p_params jsonb,
    p_at timestamptz,
    p_quota integer default null,
    p_step text default null,
    p_execution_id bigint default null,
    p_assets bigint[] default null
)
returns table (
    rank bigint,
    operation_id bigint,
    asset_id bigint,
    step text,
    group_key text,
    provider_id bigint,
    chunk_size integer,
    units integer,
    due_since timestamptz,
    is_granted boolean,
    reason text,
    units_before bigint,
    units_left integer,
    run_at timestamptz
)
language sql
stable
rows 10000
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
set jit = off
as $func$
    with budget as materialized (
        select p.provider_id, p.quota_period, b.*
        from headgate.providers as p
        cross join lateral headgate._budget(
            p, p_at, least(p_quota, headgate._own_quota(p_pipeline_id, p_params))
        ) as b
    ),
    need as materialized (
        -- Bundles are numbered in the order of their names: numbers sort many times faster.
        select
            operation_id,
            o.provider_id,
            o.units,
            dense_rank() over (order by coalesce(o.bundle, o.name)) as bundle,
            lever.max_assets,
            lever.chunk_size,
            coalesce(g.closed_until > p_at + o.patience, false) as is_closed
        from headgate._planned_operations(p_pipeline_id, p_params) as lever
        join headgate.operations as o using (operation_id)
        join budget as g using (provider_id)
    ),
    pair as materialized (
        select c.* from headgate._candidates(p_pipeline_id, p_params, p_at, p_step, p_execution_id, p_assets) as c
    ),
    bundled as (
        -- What is granted together: an asset's due operations of one bundle.
        select
            p.asset_id,
            n.bundle,
            n.provider_id,
            min(p.priority) as priority,
            sum(n.units)::integer as units,
            max(p.weight) * (1 + date_part('epoch', p_at - min(p.due_since)) / 86400)
                / greatest(1, sum(n.units)) as value,
            min(n.max_assets) as max_assets,
            bool_and(n.is_closed) as is_closed
        from pair as p
        join need as n using (operation_id)
        group by p.asset_id, n.bundle, n.provider_id
    ),
    ranked as (
        select
            b.*,
            row_number() over (order by b.priority, b.value desc, b.asset_id, b.bundle, b.provider_id) as nth
        from bundled as b
    ),
    counted as (
        select
            r.*,
            coalesce(
                row_number() over (partition by r.provider_id, r.bundle order by r.nth) > r.max_assets, false
            ) as is_over_ceiling
        from ranked as r
    ),
    charged as (
        select
            c.*,
            sum(c.units) filter (where not c.is_over_ceiling) over (
                partition by c.provider_id order by c.nth rows between unbounded preceding and current row
            ) as running_units,
            g.units_left,
            g.closes_at,
            g.closed_until
        from counted as c
        join budget as g using (provider_id)
    ),
    decided as (
        select
            c.*,
            case
                when c.is_over_ceiling then 'max_assets'
                when c.units > 0 and c.units_left is not null and c.running_units > c.units_left then 'quota'
                when c.is_closed then 'closed'
            end as refusal
        from charged as c
    ),
    refused as (
        -- A bundle that spans providers is granted by all of them or not at all.
        select d.asset_id, d.bundle, max(d.refusal) as reason
        from decided as d
        where d.refusal is not null
        group by d.asset_id, d.bundle
    )
    select
        d.nth,
        p.operation_id,
        p.asset_id,
        p.step,
        p.group_key,
        n.provider_id,
        n.chunk_size,
        n.units,
        p.due_since,
        r.reason is null,
        r.reason,
        d.running_units - d.units,
        d.units_left,
        case r.reason
            when 'quota' then d.closes_at
            when 'closed' then d.closed_until
            else greatest(p_at, d.closed_until)
        end
    from pair as p
    join need as n using (operation_id)
    join decided as d using (asset_id, bundle, provider_id)
    left join refused as r using (asset_id, bundle);
$func$;
