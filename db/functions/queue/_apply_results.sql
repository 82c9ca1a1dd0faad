-- Apply the results: parked jobs move to chunks of their own, ended ones are recorded; jobs not reported stay in the
-- chunk. p_parts: the chunks that p_chunk stands for, handed in together; null: it stands for itself.

create or replace function headgate._apply_results(
    p_chunk headgate.chunks,
    p_parts headgate.chunks[],
    p_operation headgate.operations,
    p_job_results headgate.job_result[],
    p_tally headgate.job_tally,
    p_peak_memory bigint,
    p_cpu_ms integer,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_left bigint[];
    v_gone integer := cardinality(p_job_results);
    v_chunk_ids bigint[] := array[p_chunk.chunk_id];
begin
    if p_parts is not null then
        v_chunk_ids := array(select c.chunk_id from unnest(p_parts) as c);
        perform pgmq.delete(q.queue, q.msg_ids)
        from (select c.queue, array_agg(c.msg_id) as msg_ids from unnest(p_parts) as c group by c.queue) as q;
        delete from headgate.chunks as c where c.chunk_id = any (v_chunk_ids);
    elsif v_gone = cardinality(p_chunk.asset_ids) then
        perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
        delete from headgate.chunks as c where c.chunk_id = p_chunk.chunk_id;
    else
        v_left := array(
            select u.asset_id
            from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
            where u.asset_id not in (select f.asset_id from unnest(p_job_results) as f)
            order by u.nth
        );
        update headgate.chunks as c
        set asset_ids = v_left,
            calls = case when c.calls > 0 then cardinality(v_left) else 0 end,
            units = case when c.calls > 0 then c.units / c.calls * cardinality(v_left) else 0 end
        where c.chunk_id = p_chunk.chunk_id;
    end if;

    if p_tally.parked = 0 then
        perform headgate._end_jobs(
            p_chunk, v_chunk_ids, p_operation, p_job_results, p_tally, p_peak_memory, p_cpu_ms, p_now
        );
    else
        perform headgate._park_jobs(
            c, array(select f from unnest(p_job_results) as f where f.asset_id = any (c.asset_ids))
        )
        from unnest(coalesce(p_parts, array[p_chunk])) as c;
        perform headgate._end_jobs(
            p_chunk, v_chunk_ids, p_operation, array(select f from unnest(p_job_results) as f where f.result <> 'park'),
            p_tally, p_peak_memory, p_cpu_ms, p_now
        );
    end if;
end;
$func$;

-- Jobs with the same wake time share a chunk; nothing is reserved while they wait.
create or replace function headgate._park_jobs(
    p_chunk headgate.chunks,
    p_job_results headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with parked as (
        insert into headgate.chunks (
            execution_id, step, round, operation_id, provider_id, group_key, priority, asset_ids, calls, units, queue,
            state, wake_at, park_until, park_reason, attempt, retry_count, lease_expirations, charged_units,
            request_count, planned_at,
            call_operation_id, sessions, records
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.provider_id,
            p_chunk.group_key, p_chunk.priority, array_agg(f.asset_id order by f.asset_id),
            case when p_chunk.is_bulk then p_chunk.calls else least(1, p_chunk.calls) * count(*) end,
            case when p_chunk.is_bulk then p_chunk.units else headgate._unit_price(p_chunk) * count(*) end,
            p_chunk.queue, 'parked', f.wake_at, min(f.park_until), min(f.reason), f.attempt, f.retry_count, 0,
            max(f.units), max(f.request_count),
            p_chunk.planned_at, p_chunk.call_operation_id, p_chunk.sessions,
            case when p_chunk.records is not null then array_agg(b.records order by f.asset_id) end
        from unnest(p_job_results) as f
        left join unnest(p_chunk.asset_ids, p_chunk.records) as b (asset_id, records)
            on p_chunk.records is not null and b.asset_id = f.asset_id
        where f.result = 'park'
        group by f.wake_at, f.attempt, f.retry_count, case when not p_chunk.is_bulk then (f.units, f.request_count) end
        returning chunk_id, asset_ids
    )
    update headgate.asset_processing_state as s
    set chunk_id = n.chunk_id
    from (select p.chunk_id, u.asset_id from parked as p cross join unnest(p.asset_ids) as u (asset_id)) as n
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = n.asset_id;
$func$;
