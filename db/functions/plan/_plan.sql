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
as $func$
    with budget as materialized (
        select p.provider_id, p.quota_period, b.*
        from headgate.providers as p
        cross join lateral headgate._budget(
            p, p_at, least(p_quota, headgate._own_quota(p_pipeline_id, p_params))
        ) as b
    ),
    pair as materialized (
        select
            c.*,
            o.provider_id,
            o.units,
            o.patience,
            coalesce(o.bundle, o.name) as bundle,
            lever.max_assets,
            lever.chunk_size
        from headgate._candidates(p_pipeline_id, p_params, p_at, p_step, p_execution_id, p_assets) as c
        join headgate.operations as o using (operation_id)
        join headgate._planned_operations(p_pipeline_id, p_params) as lever using (operation_id)
    ),
    bundled as (
        -- What is granted together: an asset's due operations of one bundle.
        select
            p.asset_id,
            p.bundle,
            p.provider_id,
            min(p.priority) as priority,
            sum(p.units)::integer as units,
            max(p.weight) * (1 + extract(epoch from p_at - min(p.due_since)) / 86400)
                / greatest(1, sum(p.units)) as value,
            min(p.max_assets) as max_assets,
            max(p.patience) as patience
        from pair as p
        group by p.asset_id, p.bundle, p.provider_id
    ),
    counted as (
        select
            b.*,
            row_number() over by_rank as nth,
            row_number() over (partition by b.bundle, b.provider_id order by b.priority, b.value desc, b.asset_id) as nth_of_bundle
        from bundled as b
        window by_rank as (order by b.priority, b.value desc, b.asset_id, b.bundle, b.provider_id)
    ),
    charged as (
        select
            c.*,
            coalesce(c.nth_of_bundle > c.max_assets, false) as is_over_ceiling,
            coalesce(g.closed_until > p_at + c.patience, false) as is_closed,
            sum(c.units) filter (where not coalesce(c.nth_of_bundle > c.max_assets, false)) over (
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
    agreed as (
        -- A bundle that spans providers is granted by all of them or not at all.
        select
            d.*,
            max(d.refusal) over (partition by d.asset_id, d.bundle) as bundle_refusal
        from decided as d
    )
    select
        a.nth,
        p.operation_id,
        p.asset_id,
        p.step,
        p.group_key,
        p.provider_id,
        p.chunk_size,
        p.units,
        p.due_since,
        a.bundle_refusal is null,
        a.bundle_refusal,
        a.running_units - a.units,
        a.units_left,
        case a.bundle_refusal
            when 'quota' then a.closes_at
            when 'closed' then a.closed_until
            else greatest(p_at, a.closed_until)
        end
    from pair as p
    join agreed as a using (asset_id, bundle, provider_id);
$func$;
