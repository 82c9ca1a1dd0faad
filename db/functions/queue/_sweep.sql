-- Bounded housekeeping, piggybacked on regular calls; no daemon needed. Due parked chunks are sent, those whose
-- provider is blocked beyond their max_wait end as deferred, and lost messages are sent again. All in one statement per
-- kind, so that locks are taken in order; if that fails, row by row in subtransactions, so that one broken row does not
-- affect the others.

create or replace function headgate._sweep(
    p_limit integer,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk_ids bigint[];
    v_chunk_id bigint;
    v_swept integer := 0;
begin
    v_chunk_ids := array(
        select c.chunk_id
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        where e.status = 'running'
            and c.state = 'parked'
            and c.wake_at <= p_now
        order by c.chunk_id
        limit p_limit
        for update of c skip locked
    );
    -- Mostly nothing is blocked, and no waiting chunk has to be looked at.
    if v_chunk_ids = '{}'
        and (
            exists (select from headgate.breakers as b where b.blocked_until > p_now)
            or exists (select from headgate.quota_windows as w where w.blocked_until > p_now and w.closes_at > p_now)
        )
    then
        v_chunk_ids := headgate._blocked_too_long(p_limit, p_now);
    end if;
    if v_chunk_ids <> '{}' then
        begin
            v_swept := headgate._sweep_chunks(v_chunk_ids, p_now);
        exception
            when others then
                foreach v_chunk_id in array v_chunk_ids loop
                    begin
                        v_swept := v_swept + headgate._sweep_chunks(array[v_chunk_id], p_now);
                    exception
                        when others then
                            raise warning 'chunk % could not be swept: %', v_chunk_id, sqlerrm;
                    end;
                end loop;
        end;
    end if;
    if v_swept = 0 then
        v_swept := headgate._resend_lost(p_limit);
    end if;

    return v_swept;
end;
$func$;

-- Chunks that wait for a provider, operation or window that is blocked beyond their max_wait, locked.
create or replace function headgate._blocked_too_long(
    p_limit integer,
    p_now timestamptz
)
returns bigint[]
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select c.chunk_id
        from headgate.chunks as c
        join headgate.process_executions as e using (execution_id)
        join headgate.operations as o using (operation_id)
        left join headgate.breakers as g on g.provider_id = c.provider_id
        left join headgate.breakers as k on k.operation_id = c.call_operation_id
        left join headgate.quota_windows as w
            on w.provider_id = c.provider_id and w.blocked_until > p_now and p_now between w.opened_at and w.closes_at
        cross join lateral greatest(g.blocked_until, k.blocked_until, w.blocked_until) as b (blocked_until)
        where e.status = 'running'
            and c.state in ('queued', 'parked')
            and b.blocked_until > p_now
            and b.blocked_until > coalesce(c.park_until, p_now + o.max_wait)
        order by c.chunk_id
        limit p_limit
        for update of c skip locked
    );
$func$;

-- End chunks, one reason per call, or send them; returns how many. The next sweep handles the others.
create or replace function headgate._sweep_chunks(
    p_chunk_ids bigint[],
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_late record;
    v_waiting bigint[];
    v_ready bigint[];
    v_lacking bigint[];
begin
    for v_late in
        select k.reason, array_agg(c.chunk_id) as chunk_ids
        from headgate.chunks as c
        join headgate.operations as o using (operation_id)
        join headgate._blocked_calls(p_chunk_ids, p_now) as k
            on k.operation_id = c.call_operation_id
        where c.chunk_id = any (p_chunk_ids)
            and k.blocked_until > coalesce(c.park_until, p_now + o.max_wait)
        group by k.reason
        order by k.reason
        limit 1
    loop
        perform headgate._end_chunks(v_late.chunk_ids, 'deferred', v_late.reason, p_now);
        return cardinality(v_late.chunk_ids);
    end loop;

    with waiting as (
        update headgate.chunks as c
        set wake_at = k.blocked_until
        from headgate._blocked_calls(p_chunk_ids, p_now) as k
        where c.chunk_id = any (p_chunk_ids)
            and c.state = 'parked'
            and k.operation_id = c.call_operation_id
        returning c.chunk_id
    )
    select coalesce(array_agg(w.chunk_id), '{}') into v_waiting from waiting as w;
    v_ready := array(
        select c.chunk_id
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
            and c.state = 'parked'
            and c.chunk_id <> all (v_waiting)
        order by c.chunk_id
    );
    v_lacking := headgate._unaffordable(v_ready, p_now);
    if v_lacking <> '{}' then
        perform headgate._end_chunks(v_lacking, 'deferred', 'quota: no units left in this window', p_now);
    elsif v_ready <> '{}' then
        perform headgate._send_chunks(v_ready, p_now);
    end if;
    return cardinality(p_chunk_ids);
end;
$func$;
