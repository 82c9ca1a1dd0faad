-- What becomes of each reported job: it ends, or it waits in a parked chunk. Only the item's own faults burn attempts.

create or replace function headgate._judge(
    p_chunk headgate.chunks,
    p_operation headgate.operations,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_blames text[],
    p_errors text[],
    p_requests integer[],
    p_charged integer[],
    p_durations_ms integer[],
    p_results headgate.ingest_result[],
    p_blocked_until timestamptz,
    p_blocked_reason text,
    p_closing jsonb,
    p_now timestamptz
)
returns headgate.job_fate[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $func$
declare
    v_is_whole constant boolean := p_asset_ids = p_chunk.asset_ids;
    v_is_ingested constant boolean := p_operation.ingest_function is not null;
    v_is_current constant boolean := p_chunk.leased_until >= clock_timestamp();
    v_is_open constant boolean := coalesce(headgate._standing(p_chunk) <> 'over', false);
    v_ends_execution constant boolean := coalesce(p_closing ->> 'until' = 'execution', false);
    v_unit constant integer := case when p_chunk.calls > 0 then p_chunk.units / p_chunk.calls else 0 end;
    -- What a call for the group took and cost stands at the chunk's first job.
    v_serves_all constant boolean := p_chunk.is_bulk;
    v_requests constant bigint := coalesce(
        (select sum(u.calls) from unnest(p_requests) as u (calls)),
        case when p_outcomes[1] = 'unsent' then 0 else p_chunk.calls end
    );
    v_charged constant bigint := coalesce((select sum(u.calls) from unnest(p_charged) as u (calls)), v_requests);
    v_park_until constant timestamptz := coalesce(p_chunk.park_until, p_now + p_operation.patience);
    v_retry_at constant timestamptz := p_now
        + least(p_operation.backoff_max, p_operation.backoff * power(2, least(20, p_chunk.retry_count)))
        * (0.75 + random() / 2);
begin
    return array(
        select row(
            f.asset_id,
            f.fate,
            case
                when f.fate = 'success' then null
                when f.fate in ('skipped', 'failed') then left(headgate._visible(f.error), 500)
                when f.fate = 'cancelled' then 'the execution had ended'
                when f.outcome = 'missing' then 'missing: the answer for the group lacks it'
                when f.outcome = 'unsent' and v_ends_execution
                    then 'house: ' || coalesce(p_closing ->> 'reason', 'closed')
                when f.outcome = 'unsent' then coalesce(p_blocked_reason, 'not started in time')
                else case when f.blame = 'item' and f.fate <> 'park' then 'house' else f.blame end || ': '
                    || left(coalesce(headgate._visible(f.error), 'no reason given'), 490)
            end,
            case when f.fate in ('failed', 'deferred', 'park') then left(headgate._visible(f.error), 2000) end,
            case when f.is_payer then p_chunk.booked else 0 end
                + v_unit * case when v_is_current then least(f.charged, f.calls) else f.calls end,
            case when f.is_payer then p_chunk.requests else 0 end + f.requests,
            f.records,
            f.watermark,
            f.duration_ms,
            p_chunk.attempt + case when f.fate = 'park' and f.outcome = 'retry' and f.blame = 'item' then 1 else 0 end,
            case
                when f.fate <> 'park' then null
                when f.outcome = 'unsent' then greatest(p_now, p_blocked_until)
                else greatest(v_retry_at, p_blocked_until)
            end,
            v_park_until,
            case when v_is_current then v_unit * greatest(0, f.calls - f.charged) else 0 end,
            p_chunk.retry_count + case when f.fate = 'park' and f.outcome = 'retry' then 1 else 0 end
        )::headgate.job_fate
        from (
            select
                j.*,
                case
                    when j.outcome in ('success', 'skipped') then j.outcome
                    when not v_is_open and j.outcome in ('retry', 'unsent')
                        then case when j.requests = 0 then 'cancelled' else 'deferred' end
                    when j.outcome = 'unsent' then
                        case
                            when v_ends_execution or coalesce(p_blocked_until, p_now) > v_park_until then 'deferred'
                            else 'park'
                        end
                    when j.outcome in ('deferred', 'missing') or j.outcome = 'failed' and j.blame <> 'item'
                        then 'deferred'
                    when j.outcome = 'retry' and j.blame = 'item' and p_chunk.attempt < p_operation.max_attempts
                        then 'park'
                    when j.outcome = 'retry'
                        and j.blame <> 'item'
                        and greatest(v_retry_at, p_blocked_until) <= v_park_until
                        then 'park'
                    when j.outcome = 'retry' and j.blame <> 'item' then 'deferred'
                    else 'failed'
                end as fate
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
                        when u.outcome = 'success' and r.status = 'deferred' then 'house'
                        when u.outcome = 'success' then 'item'
                        else coalesce(u.blame, 'item')
                    end as blame,
                    case
                        when u.outcome = 'success' and v_is_ingested and r.status is null
                            then 'the ingest function returned no row for this asset'
                        else coalesce(r.reason, u.error)
                    end as error,
                    c.is_payer,
                    c.calls,
                    c.requests,
                    case
                        when not c.is_payer then 0
                        when v_serves_all then v_charged
                        else coalesce(u.charged, c.requests)
                    end as charged,
                    coalesce(u.duration_ms, 0) as duration_ms,
                    coalesce(r.records, 0) as records,
                    r.watermark
                from unnest(
                    p_asset_ids, p_outcomes, p_blames, p_errors, p_requests, p_charged, p_durations_ms
                ) with ordinality as u (asset_id, outcome, blame, error, requests, charged, duration_ms, nth)
                cross join lateral (
                    select
                        k.is_payer,
                        case
                            when not k.is_payer then 0
                            when v_serves_all then p_chunk.calls
                            else least(1, p_chunk.calls)
                        end as calls,
                        case
                            when not k.is_payer then 0
                            when v_serves_all then v_requests
                            else coalesce(
                                u.requests, case when u.outcome = 'unsent' then 0 else least(1, p_chunk.calls) end
                            )
                        end as requests
                    from (select not v_serves_all or u.asset_id = p_chunk.asset_ids[1] as is_payer) as k
                ) as c
                left join unnest(p_results) as r using (asset_id)
                where v_is_whole
                    or u.asset_id = any (p_chunk.asset_ids) and u.nth = array_position(p_asset_ids, u.asset_id)
                order by u.asset_id  -- the order in which state rows are locked
                offset 0
            ) as j
            offset 0  -- each fate is found out once
        ) as f
    );
end;
$func$;

-- What an ingest function or PostgreSQL says may hold parts of an answer, so control characters, and those that turn or
-- hide text, are written out.
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
