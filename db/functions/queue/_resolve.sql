-- Resolve each reported job: it ends, or it waits in a parked chunk. Only the item's own faults use up attempts.

create or replace function headgate._resolve(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_faults text[],
    p_errors text[],
    p_request_counts integer[],
    p_charged integer[],
    p_durations_ms integer[],
    p_results headgate.ingest_result[],
    p_blocked_until timestamptz,
    p_blocked_reason text,
    p_block jsonb,
    p_now timestamptz
)
returns headgate.job_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_is_whole constant boolean := p_asset_ids = p_chunk.asset_ids;
    v_is_ingested constant boolean := p_operation.ingest_function is not null;
    v_is_current constant boolean := p_chunk.leased_until >= clock_timestamp();
    v_is_open constant boolean := coalesce(headgate._standing(p_chunk) <> 'step_ended', false);
    v_ends_execution constant boolean := coalesce(p_block ->> 'until' = 'execution', false);
    v_unit constant integer := case when p_chunk.calls > 0 then p_chunk.units / p_chunk.calls else 0 end;
    -- Requests and cost of a bulk call are recorded on the chunk's first job.
    v_serves_all constant boolean := p_chunk.is_bulk;
    v_request_count constant bigint := coalesce(
        (select sum(u.calls) from unnest(p_request_counts) as u (calls)),
        case when p_outcomes[1] = 'unsent' then 0 else p_chunk.calls end
    );
    v_charged constant bigint := coalesce((select sum(u.calls) from unnest(p_charged) as u (calls)), v_request_count);
    v_park_until constant timestamptz := coalesce(p_chunk.park_until, p_now + p_operation.max_wait);
    v_retry_at constant timestamptz := p_now
        + least(p_operation.backoff_max, p_operation.backoff * power(2, least(20, p_chunk.retry_count)))
        * (0.75 + random() / 2);
begin
    return array(
        select row(
            f.asset_id,
            f.result,
            case
                when f.result = 'success' then null
                when f.result in ('skipped', 'failed') then left(headgate._visible(f.error), 500)
                when f.result = 'cancelled' then 'the execution had ended'
                when f.outcome = 'missing' then 'missing: the bulk answer does not contain it'
                when f.outcome = 'unsent' and v_ends_execution
                    then 'internal: ' || coalesce(p_block ->> 'reason', 'blocked')
                when f.outcome = 'unsent' then coalesce(p_blocked_reason, 'not started in time')
                else case when f.fault = 'item' and f.result <> 'park' then 'internal' else f.fault end || ': '
                    || left(coalesce(headgate._visible(f.error), 'no reason given'), 490)
            end,
            case when f.result in ('failed', 'deferred', 'park') then left(headgate._visible(f.error), 2000) end,
            case when f.is_charged then p_chunk.charged_units else 0 end
                + v_unit * case when v_is_current then least(f.charged, f.calls) else f.calls end,
            case when f.is_charged then p_chunk.request_count else 0 end + f.request_count,
            f.records,
            f.watermark,
            f.duration_ms,
            p_chunk.attempt
                + case when f.result = 'park' and f.outcome = 'retry' and f.fault = 'item' then 1 else 0 end,
            case
                when f.result <> 'park' then null
                when f.outcome = 'unsent' then greatest(p_now, p_blocked_until)
                else greatest(v_retry_at, p_blocked_until)
            end,
            v_park_until,
            case when v_is_current then v_unit * greatest(0, f.calls - f.charged) else 0 end,
            p_chunk.retry_count + case when f.result = 'park' and f.outcome = 'retry' then 1 else 0 end
        )::headgate.job_result
        from (
            select
                j.*,
                case
                    when j.outcome in ('success', 'skipped') then j.outcome
                    when not v_is_open and j.outcome in ('retry', 'unsent')
                        then case when j.request_count = 0 then 'cancelled' else 'deferred' end
                    when j.outcome = 'unsent' then
                        case
                            when v_ends_execution or coalesce(p_blocked_until, p_now) > v_park_until then 'deferred'
                            else 'park'
                        end
                    when j.outcome in ('deferred', 'missing') or j.outcome = 'failed' and j.fault <> 'item'
                        then 'deferred'
                    when j.outcome = 'retry' and j.fault = 'item' and p_chunk.attempt < p_operation.max_attempts
                        then 'park'
                    when j.outcome = 'retry'
                        and j.fault <> 'item'
                        and greatest(v_retry_at, p_blocked_until) <= v_park_until
                        then 'park'
                    when j.outcome = 'retry' and j.fault <> 'item' then 'deferred'
                    else 'failed'
                end as result
            from (
                select
                    u.asset_id,
                    case
                        when u.outcome = 'success' and v_is_ingested
                            then coalesce(r.status, case when v_serves_all then 'missing' else 'failed' end)
                        else u.outcome
                    end
                        as outcome,
                    case
                        when u.outcome = 'success' and r.status = 'deferred' then 'internal'
                        when u.outcome = 'success' then 'item'
                        else coalesce(u.fault, 'item')
                    end as fault,
                    case
                        when u.outcome = 'success' and v_is_ingested and r.status is null
                            then 'the ingest function returned no row for this asset'
                        else coalesce(r.reason, u.error)
                    end as error,
                    c.is_charged,
                    c.calls,
                    c.request_count,
                    case
                        when not c.is_charged then 0
                        when v_serves_all then v_charged
                        else coalesce(u.charged, c.request_count)
                    end as charged,
                    coalesce(u.duration_ms, 0) as duration_ms,
                    coalesce(r.records, 0) as records,
                    r.watermark
                from unnest(
                    p_asset_ids, p_outcomes, p_faults, p_errors, p_request_counts, p_charged, p_durations_ms
                ) with ordinality as u (asset_id, outcome, fault, error, request_count, charged, duration_ms, nth)
                cross join lateral (
                    select
                        k.is_charged,
                        case
                            when not k.is_charged then 0
                            when v_serves_all then p_chunk.calls
                            else least(1, p_chunk.calls)
                        end as calls,
                        case
                            when not k.is_charged then 0
                            when v_serves_all then v_request_count
                            else coalesce(
                                u.request_count, case when u.outcome = 'unsent' then 0 else least(1, p_chunk.calls) end
                            )
                        end as request_count
                    from (select not v_serves_all or u.asset_id = p_chunk.asset_ids[1] as is_charged) as k
                ) as c
                left join unnest(p_results) as r using (asset_id)
                where v_is_whole
                    or u.asset_id = any (p_chunk.asset_ids) and u.nth = array_position(p_asset_ids, u.asset_id)
                order by u.asset_id  -- the order in which state rows are locked
                offset 0
            ) as j
            offset 0  -- each result is computed once
        ) as f
    );
end;
$func$;

-- Messages of ingest functions and of PostgreSQL may contain parts of an answer, so control characters and invisible or
-- bidirectional ones are escaped.
create or replace function headgate._visible(p_text text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text !~ '[\u0001-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]'
            then p_text
        else (
            select string_agg(
                case
                    when x.sign
                        ~ '[\u0001-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]'
                        then '\u' || lpad(to_hex(ascii(x.sign)), 4, '0')
                    else x.sign
                end,
                '' order by x.nth
            )
            from string_to_table(translate(p_text, E'\t\r\n', '   '), null) with ordinality as x (sign, nth)
        )
    end
$func$;
