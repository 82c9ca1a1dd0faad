-- What a provider still allows at a moment, read-only. Without a quota, left is null.

create or replace function headgate._budget(
    p_provider headgate.providers,
    p_at timestamptz,
    p_usable integer,
    out opened_at timestamptz,
    out closes_at timestamptz,
    out units_left integer,
    out blocked_until timestamptz
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        b.opened_at,
        b.closes_at,
        case
            when p_provider.quota is null and p_usable is null then null
            when q.blocked_until > p_at then 0
            else greatest(
                0,
                least(p_usable, coalesce(q.usable, p_provider.quota - p_provider.quota_buffer))
                - coalesce(q.used_elsewhere + q.reserved + q.spent, 0)
            )
        end,
        greatest(
            case when q.blocked_until > p_at then q.blocked_until end,
            case when g.blocked_until > p_at then g.blocked_until end
        )
    from headgate._window_at(p_provider, p_at) as b
    left join headgate.quota_windows as q
        on q.provider_id = p_provider.provider_id and q.opened_at = b.opened_at
    left join headgate.breakers as g on g.provider_id = p_provider.provider_id;
$func$;
