-- What each provider of the needs still allows the run, and the part of it that a backfill may use.

create or replace function headgate._budgets(
    p_pipeline_id bigint,
    p_options headgate.plan_options,
    p_needs headgate.plan_need[],
    p_at timestamptz,
    p_quota integer,
    p_used jsonb default '{}'
)
returns setof headgate.plan_budget
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select
        p.provider_id,
        b.opened_at,
        b.closes_at,
        b.blocked_until,
        case  -- no quota and no share: unlimited
            when coalesce(b.units_left, h.units_left) is not null
                then greatest(0, least(
                    b.units_left - coalesce((p_used ->> p.provider_id::text)::bigint, 0), h.units_left
                ))
        end,
        coalesce(h.units_left < b.units_left, false),
        coalesce(p_options.reserve, q.reserve, 0)
    from headgate.providers as p
    cross join lateral headgate._budget(
        p, p_at, least(p_quota, headgate._own_quota(p_pipeline_id, p_options))
    ) as b
    left join headgate.quota_shares as q on q.provider_id = p.provider_id and q.pipeline_id = p_pipeline_id
    left join lateral headgate._share_left(
        p.provider_id, p_pipeline_id, b.opened_at,
        least(p_quota, p.quota - p.quota_buffer), coalesce((p_used ->> p.provider_id::text)::bigint, 0)
    ) as h (units_left) on true
    where p.provider_id in (
        select u.provider_id
        from unnest(p_needs) as n
        cross join lateral (values (n.provider_id), (n.call_provider_id)) as u (provider_id)
    );
$func$;
