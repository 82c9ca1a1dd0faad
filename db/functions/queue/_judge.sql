-- What becomes of each reported job: it ends, or it waits in a parked chunk. Only the item's own faults burn attempts.

create or replace function headgate._judge(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_blames text[],
    p_errors text[],
    p_requests integer[],
    p_durations_ms integer[],
    p_results headgate.ingest_result[],
    p_closed_until timestamptz,
    p_closed_reason text,
    p_closing jsonb,
    p_now timestamptz
)
returns setof headgate.job_fate
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with circumstances as materialized (
        select
            coalesce(p_chunk.park_until, p_now + p_operation.patience) as park_until,
            p_now + least(p_operation.backoff_max, p_operation.backoff * power(2, least(20, p_chunk.requests)))
                * (0.75 + random() / 2) as retry_at,
            case when p_chunk.calls > 0 then p_chunk.units / p_chunk.calls else 0 end as unit,
            p_chunk.leased_until >= clock_timestamp() as is_current,
            coalesce((
                select e.status in ('running', 'paused') and s.status in ('pending', 'running')
                from headgate.process_executions as e
                join headgate.process_steps as s using (execution_id)
                where e.execution_id = p_chunk.execution_id
                    and s.step = p_chunk.step
            ), false) as is_open
    ),
    job as (
        select distinct on (u.asset_id)
            u.asset_id,
            case
                when u.outcome = 'success' and p_operation.ingest_function is not null then coalesce(r.status, 'failed')
                else u.outcome
            end as outcome,
            case
                when u.outcome = 'success' and r.status = 'deferred' then 'house'
                when u.outcome = 'success' then 'item'
                else coalesce(u.blame, 'item')
            end as blame,
            case
                when u.outcome = 'success' and p_operation.ingest_function is not null and r.status is null
                    then 'its ingest function says nothing of it'
                else coalesce(r.reason, u.error)
            end as error,
            coalesce(u.requests, case when u.outcome = 'unsent' then 0 else least(1, p_chunk.calls) end) as requests,
            coalesce(u.duration_ms, 0) as duration_ms,
            coalesce(r.records, 0) as records,
            r.watermark
        from unnest(p_asset_ids, p_outcomes, p_blames, p_errors, p_requests, p_durations_ms) with ordinality
            as u (asset_id, outcome, blame, error, requests, duration_ms, nth)
        left join unnest(p_results) as r on r.asset_id = u.asset_id
        where u.asset_id = any (p_chunk.asset_ids)
        order by u.asset_id, u.nth
    ),
    weighed as (
        select
            j.*,
            c.*,
            case
                when j.outcome in ('success', 'skipped') then j.outcome
                when not c.is_open and j.outcome in ('retry', 'unsent')
                    then case when j.requests = 0 then 'cancelled' else 'deferred' end
                when j.outcome = 'unsent' then
                    case
                        when p_closing ->> 'until' = 'execution' then 'deferred'
                        when coalesce(p_closed_until, p_now) > c.park_until then 'deferred'
                        else 'park'
                    end
                when j.outcome = 'deferred' or j.outcome = 'failed' and j.blame <> 'item' then 'deferred'
                when j.outcome = 'retry' and j.blame = 'item' and p_chunk.attempt < p_operation.max_attempts then 'park'
                when j.outcome = 'retry' and j.blame <> 'item' and greatest(c.retry_at, p_closed_until) <= c.park_until
                    then 'park'
                when j.outcome = 'retry' and j.blame <> 'item' then 'deferred'
                else 'failed'
            end as fate
        from job as j
        cross join circumstances as c
    )
    select
        w.asset_id,
        w.fate,
        case
            when w.fate = 'success' then null
            when w.fate in ('skipped', 'failed') then left(w.error, 500)
            when w.fate = 'cancelled' then 'the execution had ended'
            when w.outcome = 'unsent' and p_closing ->> 'until' = 'execution'
                then 'house: ' || coalesce(p_closing ->> 'reason', 'closed')
            when w.outcome = 'unsent' then coalesce(p_closed_reason, 'not started in time')
            else case when w.blame = 'item' then 'house' else w.blame end || ': ' || left(coalesce(w.error, 'no reason given'), 490)
        end,
        case when w.fate in ('failed', 'deferred', 'park') then left(w.error, 2000) end,
        p_chunk.booked + case when w.requests = 0 and w.is_current then 0 else w.unit end,
        p_chunk.requests + w.requests,
        w.records,
        w.watermark,
        w.duration_ms,
        p_chunk.attempt + case when w.fate = 'park' and w.outcome = 'retry' and w.blame = 'item' then 1 else 0 end,
        case
            when w.fate <> 'park' then null
            when w.outcome = 'unsent' then greatest(p_now, p_closed_until)
            else greatest(w.retry_at, p_closed_until)
        end,
        w.park_until,
        case when w.requests = 0 and w.is_current then w.unit else 0 end
    from weighed as w;
$func$;

-- Carry the fates out: parked jobs get chunks of their own, ended ones their rows; what was not reported stays in the chunk.
create or replace function headgate._apply_fates(
    p_chunk headgate.chunks,
    p_fates headgate.job_fate[],
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
    v_gone integer := cardinality(p_fates);
begin
    if v_gone = cardinality(p_chunk.asset_ids) then
        perform pgmq.delete(p_chunk.queue, p_chunk.msg_id);
        delete from headgate.chunks as c where c.chunk_id = p_chunk.chunk_id;
    else
        v_left := array(
            select u.asset_id
            from unnest(p_chunk.asset_ids) with ordinality as u (asset_id, nth)
            where u.asset_id not in (select f.asset_id from unnest(p_fates) as f)
            order by u.nth
        );
        update headgate.chunks as c
        set asset_ids = v_left,
            calls = case when c.calls > 0 then cardinality(v_left) else 0 end,
            units = case when c.calls > 0 then c.units / c.calls * cardinality(v_left) else 0 end
        where c.chunk_id = p_chunk.chunk_id;
    end if;

    if exists (select from unnest(p_fates) as f where f.fate = 'park') then
        perform headgate._park_jobs(p_chunk, p_fates);
    end if;
    perform headgate._end_jobs(
        p_chunk,
        array(
            select row(
                f.asset_id, f.fate, f.reason, f.error, f.units, f.requests, f.records, f.watermark, f.duration_ms
            )::headgate.job_end
            from unnest(p_fates) as f
            where f.fate <> 'park'
        ),
        p_now
    );
end;
$func$;

-- Jobs that wait alike travel on together; nothing is reserved while they wait.
create or replace function headgate._park_jobs(
    p_chunk headgate.chunks,
    p_fates headgate.job_fate[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with parked as (
        insert into headgate.chunks (
            execution_id, step, round, operation_id, provider_id, group_key, priority, asset_ids, calls, units, queue,
            state, wake_at, park_until, park_reason, attempt, deaths, booked, requests, planned_at
        )
        select
            p_chunk.execution_id, p_chunk.step, p_chunk.round, p_chunk.operation_id, p_chunk.provider_id, p_chunk.group_key,
            p_chunk.priority, array_agg(f.asset_id order by f.asset_id),
            least(1, p_chunk.calls) * count(*), p_chunk.units / greatest(1, p_chunk.calls) * count(*), p_chunk.queue,
            'parked', f.wake_at, min(f.park_until), min(f.reason), f.attempt, 0, f.units, f.requests, p_chunk.planned_at
        from unnest(p_fates) as f
        where f.fate = 'park'
        group by f.wake_at, f.attempt, f.units, f.requests
        returning chunk_id, asset_ids
    )
    update headgate.asset_processing_state as s
    set chunk_id = n.chunk_id
    from (select p.chunk_id, u.asset_id from parked as p cross join unnest(p.asset_ids) as u (asset_id)) as n
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = n.asset_id;
$func$;

-- What was parked while somebody cancelled its execution or step ends, too: nobody would wake it.
create or replace function headgate._end_late_parked(
    p_chunk headgate.chunks,
    p_asset_ids bigint[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform from headgate.process_executions as e where e.execution_id = p_chunk.execution_id for key share;
    if headgate._standing(p_chunk) = 'over' then
        perform headgate._end_chunks(
            array(
                select c.chunk_id
                from headgate.chunks as c
                where c.execution_id = p_chunk.execution_id
                    and c.step = p_chunk.step
                    and c.operation_id = p_chunk.operation_id
                    and c.state = 'parked'
                    and c.asset_ids && p_asset_ids
            ),
            'cancelled', 'its step had ended', p_now
        );
    end if;
end;
$func$;

-- The provider refuses this execution: whatever of it has not started, with this provider, is over.
create or replace function headgate._end_unstarted(
    p_chunk headgate.chunks,
    p_reason text,
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform headgate._end_chunks(
        array(
            select c.chunk_id
            from headgate.chunks as c
            where c.execution_id = p_chunk.execution_id
                and c.provider_id = p_chunk.provider_id
                and c.state <> 'leased'
                and c.chunk_id <> p_chunk.chunk_id
            order by c.chunk_id
            for update skip locked
        ),
        'deferred', p_reason, p_now
    );
end;
$func$;
