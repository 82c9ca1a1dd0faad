-- Resolve each reported job: it ends, or it waits in a parked chunk. Only the item's own faults use up attempts. If
-- calls may not be repeated, a call is repeated only if its answer says "not now" (a quota's), or its rule says that it
-- is not charged: it was not served. p_stop_reason: why the whole execution ends, null if it does not. p_cached: the
-- assets that were served from the cache. A job that waits for an equal request of another job (unsent, deferred for
-- the moment) wakes a moment later.

create or replace function headgate._resolve(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_reports headgate.job_report[],
    p_blocked_until timestamptz,
    p_blocked_reason text,
    p_stop_reason text,
    p_cached bigint[],
    p_now timestamptz
)
returns setof headgate.job_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_is_current constant boolean := p_chunk.leased_until >= clock_timestamp();
    v_is_open constant boolean := coalesce(headgate._standing(p_chunk) <> 'step_ended', false);
    v_unit constant integer := case when p_chunk.calls > 0 then p_chunk.units / p_chunk.calls else 0 end;
    v_park_until constant timestamptz := coalesce(p_chunk.park_until, p_now + p_operation.max_wait);
    v_retry_at constant timestamptz := p_now
        + least(p_operation.backoff_max, p_operation.backoff * power(2, least(20, p_chunk.retry_count)))
        * (1 + p_operation.jitter * (2 * random() - 1));
    v_is_in_time constant boolean := greatest(v_retry_at, p_blocked_until) <= v_park_until;
    v_can_wait constant boolean := p_stop_reason is null and coalesce(p_blocked_until, p_now) <= v_park_until;
    v_is_sent_once constant boolean := p_operation.delivery = 'at_most_once';
    v_can_repeat constant boolean := p_chunk.attempt < p_operation.max_attempts;
begin
    return query
    select
        f.asset_id,
        f.result,
        case
            when f.is_unknown then headgate._unknown(headgate._visible(f.error))
            else headgate._reason(f.result, f.outcome, f.fault, f.error, p_stop_reason, p_blocked_reason)
        end as reason,
        case when f.result in ('failed', 'deferred', 'park') then left(headgate._visible(f.error), 2000) end as error,
        case when f.is_charged then p_chunk.charged_units else 0 end
            + v_unit * case when v_is_current then least(f.charged, f.calls) else f.calls end as units,
        case when f.is_charged then p_chunk.request_count else 0 end + f.request_count as request_count,
        f.records,
        f.watermark,
        f.duration_ms,
        p_chunk.attempt + case when f.is_retry and f.fault = 'item' then 1 else 0 end as attempt,
        case
            when f.is_retry then greatest(v_retry_at, p_blocked_until)
            when f.result = 'park' and f.is_equal then greatest(p_now + interval '500 milliseconds', p_blocked_until)
            when f.result = 'park' then greatest(p_now, p_blocked_until)
        end as wake_at,
        v_park_until as park_until,
        case when v_is_current then v_unit * greatest(0, f.calls - f.charged) else 0 end as refund,
        p_chunk.retry_count + case when f.is_retry then 1 else 0 end as retry_count,
        f.verdict,
        f.asset_id = any (p_cached) as from_cache
    from (
        select
            j.*,
            j.result = 'park' and j.outcome = 'retry' as is_retry,
            j.outcome = 'unsent' and j.fault = 'quota' as is_equal,
            v_is_sent_once and j.outcome = 'retry' and j.fault <> 'quota' and j.charged > 0 as is_unknown
        from (
            select
                r.*,
                case
                    when r.outcome in ('success', 'skipped') then r.outcome
                    when r.outcome in ('retry', 'unsent') and not v_is_open
                        then case when r.request_count = 0 then 'cancelled' else 'deferred' end
                    when v_is_sent_once and r.outcome = 'retry' and r.fault <> 'quota' and r.charged > 0
                        then 'deferred'
                    when r.outcome = 'unsent' then case when v_can_wait then 'park' else 'deferred' end
                    when r.outcome in ('deferred', 'missing') then 'deferred'
                    when r.outcome = 'retry' and r.fault = 'item'
                        then case when v_can_repeat then 'park' else 'failed' end
                    when r.outcome = 'retry' then case when v_is_in_time then 'park' else 'deferred' end
                    when r.fault <> 'item' then 'deferred'
                    else 'failed'
                end as result
            from unnest(p_reports) as r
            offset 0
        ) as j
        offset 0  -- each result is computed once
    ) as f;
end;
$func$;

-- The error that history keeps for a job's result; null for a success that is not degraded. Inlined: no pinned path.
create or replace function headgate._reason(
    p_result text,
    p_outcome text,
    p_fault text,
    p_error text,
    p_stop_reason text,
    p_blocked_reason text
)
returns text
language sql
immutable
as $func$
    select case
        when p_result = 'success' and p_error is null then null
        when p_result in ('success', 'skipped', 'failed') then left(headgate._visible(p_error), 500)
        when p_result = 'cancelled' then 'the execution had ended'
        when p_outcome = 'missing' then 'missing: the bulk answer does not contain it'
        when p_outcome = 'unsent' then coalesce(
            'internal: ' || p_stop_reason, p_blocked_reason, case when p_fault = 'quota' then p_error end,
            'not started in time'
        )
        else case when p_fault = 'item' and p_result <> 'park' then 'internal' else p_fault end || ': '
            || left(coalesce(headgate._visible(p_error), 'no reason given'), 490)
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
