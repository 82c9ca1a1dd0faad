-- The next chunks for a runner that has just completed one, in the same transaction. This transaction holds a step, so
-- it ends no unfit chunks; and it must not lock chunks before the step, because a session that ends this execution's
-- chunks may wait for their messages. A runner whose lease expired claims nothing: it would claim that same chunk
-- again.

create or replace function headgate._claim_next(
    p_runner text,
    p_chunk headgate.chunks,
    p_provider headgate.providers,
    p_claim integer,
    p_queues text[],
    p_room integer,
    p_now timestamptz
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_chunk.leased_until > clock_timestamp() then
        return query
        select g.*
        from headgate._reach(p_provider, p_queues, p_claim, p_now) as r
        cross join lateral headgate._grant(p_runner, p_provider, r.fit, r.unfit, r.is_probe, p_room, p_now) as g;
    end if;
end;
$func$;
