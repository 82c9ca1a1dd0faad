-- Bulk and batch calls that must not be made at a moment although their assets can be called for one by one: calls that
-- are blocked for longer than the need's max_wait, or that were blocked within the last day so often in a row that the
-- next failure would block them for that long while their provider answers other calls.

create or replace function headgate._broken_calls(p_at timestamptz)
returns table (operation_id bigint, call_operation_id bigint, because text)
language sql
stable
rows 1
set search_path = pg_catalog, pg_temp
as $func$
    select
        o.operation_id,
        a.operation_id,
        format(
            'one by one, because %s %s until %s',
            a.name,
            case when k.blocked_until > p_at then 'is blocked' else 'failed' end,
            k.blocked_until at time zone 'UTC'
        )
    from headgate.breakers as k
    join headgate.operations as a on a.operation_id = k.operation_id
    join headgate.operations as o on o.operation_id = a.bulk_call_of_operation_id
    join headgate.providers as p on p.provider_id = a.provider_id
    join headgate.breakers as g on g.provider_id = a.provider_id
    where coalesce(o.path, o.statement, o.handler, o.ingest_function) is not null
        and (
            k.blocked_until > p_at + o.max_wait
            or k.opened > 0
            and g.opened = 0
            and k.blocked_until > p_at - interval '1 day'
            and p.breaker_cooldown * power(2, least(10, k.opened)) > o.max_wait
        );
$func$;
