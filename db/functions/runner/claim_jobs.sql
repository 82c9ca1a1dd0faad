-- A runner asks for work. The call also sweeps and advances executions, so no daemon is needed. Without work, it
-- returns when to ask again. p_room is the number of calls that the runner can start; null, an old runner's: all. Only
-- these get times to start, for it asks for others when it has room: headgate.take_starts.

create or replace function headgate.claim_jobs(
    p_runner text,
    p_queues text[] default null,
    p_max_chunks integer default 1,
    p_avoid text[] default '{}',
    p_protocol integer default 1,
    p_room integer default null
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_provider headgate.providers;
begin
    if not p_protocol <@ headgate._protocols() then
        perform headgate.require_protocol(p_protocol);
    end if;
    if headgate._sweep(20, v_now) > 0 then
        return query select * from headgate._no_chunk(v_now, v_now);  -- enough for one transaction: ask again
        return;
    end if;

    for v_provider in
        select p.*
        from headgate.providers as p
        where p.name <> all (p_avoid)
            and exists (  -- most providers have nothing in their queues
                select
                from unnest(array['_high', '_normal', '_low']) as u (urgency)
                where exists (select from headgate._first_message(p.name || u.urgency))
            )
        order by random()
    loop
        exit when p_max_chunks <= 0;
        return query select * from headgate._claim(p_runner, v_provider, p_queues, p_max_chunks, p_room, v_now);
        if found then
            return;
        end if;
    end loop;

    return query select * from headgate._no_chunk(headgate._next_wake(p_queues, p_avoid, v_now), v_now);
end;
$func$;

comment on function headgate.claim_jobs(text, text[], integer, text[], integer, integer) is
    'Claim up to p_max_chunks chunks of one provider for a runner; without work: one row that says when to ask again.';

-- When there will be work for these queues: a parked chunk wakes, a block ends, a lease expires; or a step is run
-- again, or late.
create or replace function headgate._next_wake(
    p_queues text[],
    p_avoid text[],
    p_now timestamptz
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select least(
        (select min(s.retry_at) from headgate.process_steps as s where s.retry_at > p_now),
        (
            select min(s.deadline_at)
            from headgate.process_steps as s
            where s.status = 'running'
                and s.deadline_at > p_now
        ),
        (
            select min(e.deadline_at)
            from headgate.process_executions as e
            where e.status = 'running'
                and e.deadline_at > p_now
        ),
        headgate._next_chunk(p_queues, p_avoid, p_now)
    );
$func$;

create or replace function headgate._next_chunk(
    p_queues text[],
    p_avoid text[],
    p_now timestamptz
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select min(greatest(
        p_now + interval '100 milliseconds',
        case c.state
            when 'parked' then c.wake_at
            when 'leased' then p_now + (c.leased_until - clock_timestamp())
            else coalesce(
                greatest(
                    case when g.blocked_until > p_now then g.blocked_until end,
                    case when w.blocked_until > p_now then w.blocked_until end
                ),
                case
                    when c.calls > 0 and r.next_start_at > p_now + headgate._start_ahead()
                        then r.next_start_at - headgate._start_ahead()
                end,
                p_now + interval '1 second'
            )
        end
    ))
    from headgate.chunks as c
    join headgate.process_executions as e using (execution_id)
    left join headgate.breakers as g on g.provider_id = c.provider_id
    left join headgate.rate_limiters as r on r.provider_id = c.provider_id
    join headgate.providers as p on p.provider_id = c.provider_id
    left join headgate.quota_windows as w on w.provider_id = c.provider_id and w.opened_at = c.window_opened_at
    where c.state <> 'planned'
        and p.name <> all (p_avoid)
        and (p_queues is null or c.queue = any (p_queues))
        and (e.status = 'running' or c.state = 'leased');
$func$;
