-- Whether the provider can be called: not while its breaker or window is blocked, nor in the last moments before a
-- reset; and after its breaker has opened, only by one probe.

create or replace function headgate._availability(
    p_provider headgate.providers,
    p_now timestamptz,
    out is_flowing boolean,
    out is_probe boolean
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        coalesce(g.blocked_until <= p_now, true)
        and coalesce(w.blocked_until <= p_now, true)
        and (p_provider.quota is null or p_now < b.closes_at - p_provider.reset_guard)
        and not coalesce(g.opened > 0 and headgate._is_leased(g.probe_chunk_id), false),
        coalesce(g.opened > 0, false)
    from headgate._window_at(p_provider, p_now) as b
    left join headgate.breakers as g on g.provider_id = p_provider.provider_id
    left join headgate.quota_windows as w
        on w.provider_id = p_provider.provider_id and w.opened_at = b.opened_at;
$func$;
