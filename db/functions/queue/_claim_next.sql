-- The next chunks for a runner that has just handed one in, in the same transaction. That transaction holds a step, so
-- nothing unfit is ended. Nor may it have reached for chunks before it held the step: whoever ends this execution's
-- chunks may wait for their messages. A runner whose lease has run out gets nothing: the first chunk it would reach is
-- that one.

create or replace function headgate._claim_next(
    p_runner text,
    p_chunk headgate.chunks,
    p_provider headgate.providers,
    p_claim integer,
    p_queues text[],
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
        cross join lateral headgate._grant(p_runner, p_provider, r.fit, r.unfit, r.is_probe, p_now) as g;
    end if;
end;
$func$;
