-- The calls of these chunks that are blocked now, by their provider or alone: until when, and why. While an operation's
-- probe is in flight, its other chunks wait a moment.

create or replace function headgate._blocked_calls(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns table (operation_id bigint, blocked_until timestamptz, reason text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.operation_id,
        case when k.blocked_until > p_now then k.blocked_until else p_now + interval '5 seconds' end,
        coalesce(k.reason, headgate._breaker_reason(a.operation_id))
    from (
        select distinct c.provider_id, c.call_operation_id as operation_id
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
    ) as a
    join headgate.providers as p using (provider_id)
    cross join lateral headgate._block_until(p, a.operation_id, null, '{}', '{}', p_now) as k
    where k.blocked_until > p_now
        or headgate._is_blocked(a.operation_id, p_now);
$func$;
