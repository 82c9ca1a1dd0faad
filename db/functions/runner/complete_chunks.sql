-- A runner hands in chunks for which nothing was to be asked or computed: whole, all of one plan of one step, and as if they were
-- one chunk. What a commit costs (a lock of the step, a look for the next chunks) is paid once for all of them. All or nothing:
-- with one outdated token nothing is changed, and each can be handed in alone by complete_jobs.

create or replace function headgate.complete_chunks(
    p_runner text,
    p_chunk_ids bigint[],
    p_lease_nos integer[],
    p_claim integer default 0,
    p_queues text[] default null,
    p_avoid text[] default '{}'
)
returns setof headgate.claimed_chunk
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_chunks constant headgate.chunks[] := headgate._held_chunks(p_runner, p_chunk_ids, p_lease_nos);
    v_chunk constant headgate.chunks := headgate._as_one(v_chunks);
    v_operation headgate.operations;
    v_provider headgate.providers;
    v_fates headgate.job_fate[];
    v_tally headgate.job_tally;
begin
    select * into v_operation from headgate.operations as o where o.operation_id = v_chunk.operation_id;
    select * into v_provider from headgate.providers as p where p.provider_id = v_chunk.provider_id;
    if not headgate._is_idle(v_operation) then
        perform headgate._raise(
            'HG008', format('%s has more to do than to be handed in', v_operation.name),
            'report each of its chunks by complete_jobs; nothing was changed'
        );
    end if;

    v_fates := headgate._judge(
        v_chunk, v_operation, v_chunk.asset_ids, array_fill('success'::text, array[cardinality(v_chunk.asset_ids)]), null, null,
        null, null, null, '{}', null, null, null, v_now
    );
    v_tally := headgate._tally(v_fates);
    perform pgmq.delete(v_chunk.queue, array(select c.msg_id from unnest(v_chunks) as c));
    delete from headgate.chunks as c where c.chunk_id = any (p_chunk_ids);
    perform headgate._end_jobs(v_chunk, p_chunk_ids, v_operation, v_fates, v_tally, v_now);

    return query
    select * from headgate._claim_next(p_runner, v_chunk, v_provider, p_claim, p_queues, p_avoid, v_now);
end;
$func$;

comment on function headgate.complete_chunks is
    'Hand in whole chunks for which nothing was to be asked or computed, and claim p_claim next chunks in the same transaction.';

-- These chunks, locked in order, if all tokens are current; otherwise HG012.
create or replace function headgate._held_chunks(
    p_runner text,
    p_chunk_ids bigint[],
    p_lease_nos integer[]
)
returns headgate.chunks[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
declare
    v_chunks constant headgate.chunks[] := array(
        select c
        from headgate.chunks as c
        where c.chunk_id = any (p_chunk_ids)
            and c.lease_no = p_lease_nos[array_position(p_chunk_ids, c.chunk_id)]
            and c.state = 'leased'
            and c.runner = p_runner
        order by c.chunk_id
        for update
    );
begin
    if v_chunks = '{}' or cardinality(v_chunks) <> cardinality(p_chunk_ids) then
        perform headgate._raise(
            'HG012',
            format(
                'leases of %s of %s chunks are not held by %s any more',
                cardinality(p_chunk_ids) - cardinality(v_chunks), cardinality(p_chunk_ids), p_runner
            ),
            'hand each in alone: of these, nothing was changed'
        );
    end if;

    return v_chunks;
end;
$func$;

-- Chunks that were planned alike, as one. What differs in anything their jobs' ends depend on is not handed in together.
create or replace function headgate._as_one(p_chunks headgate.chunks[])
returns headgate.chunks
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunk headgate.chunks := p_chunks[1];
begin
    if exists (
        select
        from unnest(p_chunks) as c
        where c.calls > 0
            or (c.execution_id, c.step, c.round, c.operation_id, c.queue, c.planned_at, c.booked, c.requests, c.call_operation_id)
            is distinct from (
                v_chunk.execution_id, v_chunk.step, v_chunk.round, v_chunk.operation_id, v_chunk.queue, v_chunk.planned_at,
                v_chunk.booked, v_chunk.requests, null
            )
    ) then
        perform headgate._raise(
            'HG008', 'these chunks cannot be handed in together',
            'hand each in alone: they are not of one plan of one step, or have calls; nothing was changed'
        );
    end if;

    select array_agg(u.asset_id order by u.asset_id), min(c.leased_until)
    into v_chunk.asset_ids, v_chunk.leased_until
    from unnest(p_chunks) as c
    cross join unnest(c.asset_ids) as u (asset_id);
    return v_chunk;
end;
$func$;
