-- Ends everything but the units: a caller that also updates the breaker does so in between, because the window is
-- locked last.

create or replace function headgate._end_rows(
    p_chunk_ids bigint[],
    p_status text,
    p_reason text,
    p_now timestamptz
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks headgate.chunks[];
    v_step record;
begin
    v_chunks := array(
        select c from headgate.chunks as c where c.chunk_id = any (p_chunk_ids) order by c.chunk_id for update
    );
    if v_chunks = '{}' then
        return v_chunks;
    end if;
    perform pgmq.delete(c.queue, c.msg_id) from unnest(v_chunks) as c where c.msg_id is not null;
    delete from headgate.chunks as c where c.chunk_id = any (array(select u.chunk_id from unnest(v_chunks) as u));
    perform headgate._release_holds(v_chunks);
    perform headgate._leave_undue(c) from unnest(v_chunks) as c where c.state = 'leased';

    with ended as (
        insert into headgate.asset_processing_details (
            execution_id, asset_id, operation_id, round, step, status, reason, units, attempts, records,
            api_calls_used, duration_ms, ended_at
        )
        select
            c.execution_id, u.asset_id, c.operation_id, c.round, c.step, p_status,
            headgate._end_reason(c, p_reason), p.units,
            case when not c.is_bulk or u.nth = 1 then c.request_count else 0 end, 0, p.units, 0, p_now
        from unnest(v_chunks) as c
        cross join unnest(c.asset_ids) with ordinality as u (asset_id, nth)
        cross join lateral (
            select case when not c.is_bulk or u.nth = 1 then headgate._charged_units(c) else 0 end as units
        ) as p
        returning operation_id, attempts, units
    )
    insert into headgate.job_counts (operation_id, status, jobs, requests, units)
    select e.operation_id, p_status, count(*), sum(e.attempts), sum(e.units)
    from ended as e
    group by e.operation_id;

    for v_step in
        select
            c.execution_id,
            c.step,
            headgate._end_reason(c, p_reason) as reason,
            sum(cardinality(c.asset_ids))::integer as jobs,
            sum(
                case when c.is_bulk then 1 else cardinality(c.asset_ids) end * headgate._charged_units(c)
            )::integer as units
        from unnest(v_chunks) as c
        group by 1, 2, 3
        order by 1, 2, 3
    loop
        perform headgate._count_jobs(
            v_step.execution_id, v_step.step,
            headgate._tally_of(p_status, v_step.reason, v_step.jobs, v_step.units), p_now
        );
    end loop;
    if p_status = 'deferred' then
        perform headgate._alert_fault(c.execution_id, c.step, c.reason, p_now)
        from (
            select distinct u.execution_id, u.step, headgate._end_reason(u, p_reason) as reason
            from unnest(v_chunks) as u
            order by 1, 2, 3
        ) as c;
    end if;

    return v_chunks;
end;
$func$;

-- These pairs are no longer held. They stay due.
create or replace function headgate._release_holds(p_chunks headgate.chunks[])
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    update headgate.asset_processing_state as s
    set chunk_id = null
    from headgate._locked_pairs(p_chunks) as h
    where s.operation_id = h.operation_id
        and s.asset_id = h.asset_id;
$func$;

-- The reason that history gives for a chunk's jobs, also that calls of a lease may have been made and are not repeated.
create or replace function headgate._end_reason(
    p_chunk headgate.chunks,
    p_reason text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_chunk.state = 'leased' and headgate._is_sent_once(p_chunk.call_operation_id)
            then headgate._unknown(p_reason)
        else p_reason
    end;
$func$;

-- After a lease whose calls may have been made and must not be repeated, its pairs are no longer due, unless every run
-- does them.
create or replace function headgate._leave_undue(p_chunk headgate.chunks)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    update headgate.asset_processing_state as s
    set next_due_at = null
    from headgate.operations as o
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = any (p_chunk.asset_ids)
        and o.operation_id = s.operation_id
        and o.due_rule <> 'run'
        and headgate._is_sent_once(p_chunk.call_operation_id);
$func$;

-- What each job of a chunk has cost: in earlier leases and the current one. The cost of a bulk call is on its first
-- job.
create or replace function headgate._charged_units(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select p_chunk.charged_units + case when p_chunk.state = 'leased' then headgate._unit_price(p_chunk) else 0 end;
$func$;

-- The tally of jobs with the same result.
create or replace function headgate._tally_of(
    p_status text,
    p_reason text,
    p_jobs integer,
    p_units integer
)
returns headgate.job_tally
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select row(
        case when p_status = 'success' then p_jobs else 0 end,
        case when p_status = 'failed' then p_jobs else 0 end,
        case when p_status = 'deferred' then p_jobs else 0 end,
        case when p_status = 'deferred' and headgate._is_fault(p_reason) then p_jobs else 0 end,
        case when p_status = 'skipped' then p_jobs else 0 end,
        case when p_status = 'cancelled' then p_jobs else 0 end,
        0,
        p_units,
        0,
        case when p_status = 'deferred' and headgate._is_internal_fault(p_reason) then p_jobs else 0 end,
        0
    )::headgate.job_tally;
$func$;
