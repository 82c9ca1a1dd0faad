-- End whole chunks that will not be (or no longer are) worked on: by finalize, cancel, skip, a claim, or the sweep. Reserved
-- units return; units of a lease stay spent. All chunks first, then all state rows, then the steps: nobody who holds a step
-- may wait for a chunk.

create or replace function headgate._end_chunks(
    p_chunk_ids bigint[],
    p_status text,
    p_reason text,
    p_now timestamptz
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_ended constant headgate.chunks[] := headgate._end_rows(p_chunk_ids, p_status, p_reason, p_now);
begin
    perform headgate._return_units(v_ended);
    return coalesce((select sum(cardinality(c.asset_ids)) from unnest(v_ended) as c), 0);
end;
$func$;

-- All but the units: whoever also touches the gate does so between the two, because the window is the last that is locked.
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
    perform headgate._let_go(v_chunks);

    insert into headgate.asset_processing_details (
        execution_id, asset_id, operation_id, round, step, status, reason, units, attempts, records, api_calls_used,
        duration_ms, ended_at
    )
    select
        c.execution_id, u.asset_id, c.operation_id, c.round, c.step, p_status, p_reason, p.units,
        case when c.sessions is null or u.nth = 1 then c.requests else 0 end, 0, p.units, 0, p_now
    from unnest(v_chunks) as c
    cross join unnest(c.asset_ids) with ordinality as u (asset_id, nth)
    cross join lateral (
        select case when c.sessions is null or u.nth = 1 then headgate._paid(c) else 0 end as units
    ) as p;

    for v_step in
        select
            c.execution_id,
            c.step,
            sum(cardinality(c.asset_ids))::integer as jobs,
            sum(case when c.sessions is null then cardinality(c.asset_ids) else 1 end * headgate._paid(c))::integer as units
        from unnest(v_chunks) as c
        group by c.execution_id, c.step
        order by c.execution_id, c.step
    loop
        perform headgate._count_jobs(
            v_step.execution_id, v_step.step, headgate._tally_of(p_status, p_reason, v_step.jobs, v_step.units), p_now
        );
    end loop;
    if p_status = 'deferred' then
        perform headgate._alert_fault(c.execution_id, c.step, p_reason, p_now)
        from (select distinct u.execution_id, u.step from unnest(v_chunks) as u order by u.execution_id, u.step) as c;
    end if;

    return v_chunks;
end;
$func$;

-- What these chunks had reserved goes back; what a lease has spent stays spent.
create or replace function headgate._return_units(p_chunks headgate.chunks[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_release record;
begin
    for v_release in
        select c.provider_id, c.window_opened_at, sum(c.units)::integer as units
        from unnest(p_chunks) as c
        where c.state <> 'leased'
            and c.window_opened_at is not null
        group by c.provider_id, c.window_opened_at
        order by c.provider_id, c.window_opened_at
    loop
        perform headgate._move_units(v_release.provider_id, v_release.window_opened_at, -v_release.units, 0);
    end loop;
end;
$func$;

-- The pairs that these chunks hold, locked in order.
create or replace function headgate._locked_pairs(p_chunks headgate.chunks[])
returns table (operation_id bigint, asset_id bigint)
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    select s.operation_id, s.asset_id
    from unnest(p_chunks) as c
    cross join unnest(c.asset_ids) as u (asset_id)
    join headgate.asset_processing_state as s
        on s.operation_id = c.operation_id
        and s.asset_id = u.asset_id
        and s.chunk_id = c.chunk_id
    order by s.operation_id, s.asset_id
    for update of s;
$func$;

-- Nobody holds these pairs any more. They stay due.
create or replace function headgate._let_go(p_chunks headgate.chunks[])
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

-- What each job of a chunk (of a call for a whole group, its first job alone) has cost: the leases before, and the one it is in.
create or replace function headgate._paid(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select p_chunk.booked + case when p_chunk.state = 'leased' then headgate._price(p_chunk) else 0 end;
$func$;

-- What a lease of a chunk costs each of its jobs; of a call for a whole group, its first job. Meant to inline.
create or replace function headgate._price(p_chunk headgate.chunks)
returns integer
language sql
immutable
as $func$
    select case when p_chunk.sessions is null then p_chunk.units / greatest(1, p_chunk.calls) else p_chunk.units end;
$func$;
