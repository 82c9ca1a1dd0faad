-- End jobs: update state, details, dependents after a success, and the step's counters, in lock order.

create or replace function headgate._end_jobs(
    p_chunk headgate.chunks,
    p_chunk_ids bigint[],
    p_operation headgate.operations,
    p_jobs headgate.job_result[],
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
begin
    if cardinality(p_jobs) = 0 then
        return;
    end if;

    -- Work for a past date changes neither what is due today nor the watermark.
    if (select e.is_backfill from headgate.process_executions as e where e.execution_id = p_chunk.execution_id)
        and headgate._is_dated(p_operation)
    then
        perform headgate._leave_state(p_chunk, p_chunk_ids, p_jobs);
        perform headgate._wake_computed(p_operation, p_jobs, p_now);
    else
        perform headgate._settle_state(p_chunk, p_chunk_ids, p_operation, p_jobs, p_now);
        if p_tally.succeeded > 0 then
            perform headgate._wake_dependents(p_operation, p_jobs, p_now);
        end if;
    end if;

    with counted as (
        insert into headgate.job_counts (
            operation_id, status, jobs, requests, retries, units, duration_ms, le_100ms, le_250ms, le_500ms, le_1s,
            le_2500ms, le_10s, le_1min, le_5min
        )
        select
            p_chunk.operation_id, j.result, count(*), sum(j.request_count), sum(j.retry_count), sum(j.units),
            sum(j.duration_ms), sum((j.duration_ms <= 100)::integer), sum((j.duration_ms <= 250)::integer),
            sum((j.duration_ms <= 500)::integer), sum((j.duration_ms <= 1000)::integer),
            sum((j.duration_ms <= 2500)::integer), sum((j.duration_ms <= 10000)::integer),
            sum((j.duration_ms <= 60000)::integer), sum((j.duration_ms <= 300000)::integer)
        from unnest(p_jobs) as j
        group by j.result
    )
    insert into headgate.asset_processing_details (
        execution_id, asset_id, operation_id, round, step, status, reason, units, attempts, records, api_calls_used,
        duration_ms, error, verdict, from_cache, cpu_ms, peak_memory, ended_at
    )
    select
        p_chunk.execution_id, j.asset_id, p_chunk.operation_id, p_chunk.round, p_chunk.step, j.result, j.reason,
        j.units,
        j.request_count, j.records, j.units, j.duration_ms, j.error, j.verdict,
        coalesce(j.from_cache, false), p_cpu_ms, p_peak_memory, p_now
    from unnest(p_jobs) as j;

    perform headgate._count_jobs(p_chunk.execution_id, p_chunk.step, p_tally, p_now);
    if p_tally.deferred_by_fault > 0 then
        perform headgate._alert_fault(p_chunk.execution_id, p_chunk.step, max(j.reason), p_now)
        from unnest(p_jobs) as j
        where j.result = 'deferred'
            and headgate._is_internal_fault(j.reason);
    end if;
end;
$func$;

create or replace function headgate._leave_state(
    p_chunk headgate.chunks,
    p_chunk_ids bigint[],
    p_jobs headgate.job_result[]
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $func$
    update headgate.asset_processing_state as s
    set chunk_id = null
    from unnest(p_jobs) as j
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = any (p_chunk.asset_ids)
        and s.asset_id = j.asset_id
        and s.chunk_id = any (p_chunk_ids);
$func$;

-- A success or a skip clears the due time, unless the pair was requested again since it was planned.
create or replace function headgate._settle_state(
    p_chunk headgate.chunks,
    p_chunk_ids bigint[],
    p_operation headgate.operations,
    p_jobs headgate.job_result[],
    p_now timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_nestloop = off
as $func$
declare
    v_needs_rule constant boolean := p_operation.due_rule in ('session', 'function');
    v_is_fit constant boolean := p_operation.due_rule = 'function'
        and headgate._is_plainly_fit(p_operation.due_function);
    v_next_due_at constant timestamptz := case p_operation.due_rule
        when 'every' then p_now + p_operation.due_every
        when 'run' then p_now
    end;
    v_most_failures constant integer := case when p_operation.due_rule <> 'run' then 5 end;
    -- Work that every run does (due rule run) is due in the next run, whatever its result in this one.
    v_may_repeat constant boolean := p_operation.delivery = 'at_least_once' or p_operation.due_rule = 'run';
    v_alone_until timestamptz;
begin
    if p_chunk.is_bulk then
        -- A bulk answer that misses half of the group may itself be wrong: bulk calls are tried again later.
        v_alone_until := (
            select case when count(*) * 2 >= cardinality(p_jobs) then p_now + interval '30 days' end
            from unnest(p_jobs) as j
            where j.reason like 'missing: %'
        );
    end if;
    update headgate.asset_processing_state as s
    set chunk_id = null,
        succeeded_at = case when j.result = 'success' then p_now else s.succeeded_at end,
        watermark = case
            when j.result in ('success', 'skipped') then coalesce(j.watermark, s.watermark)
            else s.watermark
        end,
        attempts = case
            when j.result in ('success', 'skipped') then 0
            when j.result = 'failed' then s.attempts + 1
            else s.attempts
        end,
        consecutive_failures = case
            when j.result in ('success', 'skipped') then 0
            when j.result = 'failed' then s.consecutive_failures + 1
            else s.consecutive_failures
        end,
        last_error = case
            when j.result in ('success', 'skipped') then null
            when j.result = 'failed' then coalesce(j.error, j.reason)
            else s.last_error
        end,
        bulk_missed_at = case
            when j.result in ('success', 'skipped') then null
            when p_chunk.is_bulk and (j.result = 'failed' or j.reason like 'missing: %') then p_now
            else s.bulk_missed_at
        end,
        bulk_misses = case
            when not p_chunk.is_bulk then s.bulk_misses
            when j.result in ('success', 'skipped') then 0
            when j.reason like 'missing: %' then least(s.bulk_misses + 1, 99)
            else s.bulk_misses
        end,
        alone_until = case
            when not p_chunk.is_bulk then s.alone_until
            when j.result in ('success', 'skipped') then null
            when j.reason like 'missing: %' then v_alone_until
            else s.alone_until
        end,
        last_failed_at = case when j.result = 'failed' then p_now else s.last_failed_at end,
        next_due_at = case
            when j.result = 'failed' then case
                when s.consecutive_failures + 1 >= v_most_failures then null
                else s.next_due_at
            end
            when j.result not in ('success', 'skipped') then
                case when v_may_repeat or not headgate._is_unknown(j.reason) then s.next_due_at end
            when greatest(s.reprocess_requested_at, s.input_changed_at) > p_chunk.planned_at
                then coalesce(s.next_due_at, p_now)
            when v_needs_rule then headgate._next_due_at(
                p_operation,
                s.asset_id,
                (select a.calendar from headgate.assets as a where a.asset_id = s.asset_id),
                case when j.result = 'success' then coalesce(j.watermark, s.watermark) else p_now end,
                p_now,
                p_chunk.planned_at,
                v_is_fit
            )
            else v_next_due_at
        end
    from unnest(p_jobs) as j
    where s.operation_id = p_chunk.operation_id
        and s.asset_id = any (p_chunk.asset_ids)
        and s.asset_id = j.asset_id
        and s.chunk_id = any (p_chunk_ids);
end;
$func$;
