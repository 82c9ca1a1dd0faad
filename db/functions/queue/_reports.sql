-- What is known of each reported job: the runner's outcome, what the ingest function made of it, and the calls made for
-- it. The calls and cost of a bulk call are on its first job. p_is_whole: the chunk's jobs are reported, each once.
-- Pins no search path, so that it is inlined.

create or replace function headgate._reports(
    p_chunk headgate.chunks,
    p_is_whole boolean,
    p_is_ingested boolean,
    p_asset_ids bigint[],
    p_outcomes text[],
    p_faults text[],
    p_errors text[],
    p_request_counts integer[],
    p_charged integer[],
    p_durations_ms integer[],
    p_verdicts text[],
    p_results headgate.ingest_result[]
)
returns setof headgate.job_report
language sql
stable
as $func$
    select
        u.asset_id,
        case
            when u.outcome <> 'success' or not p_is_ingested then u.outcome
            else coalesce(r.status, case when p_chunk.is_bulk then 'missing' else 'failed' end)
        end as outcome,
        case
            when u.outcome = 'success' and r.status = 'deferred' then 'internal'
            when u.outcome = 'success' then 'item'
            else coalesce(u.fault, 'item')
        end as fault,
        case
            when u.outcome = 'success' and p_is_ingested and r.status is null
                then 'the ingest function returned no row for this asset'
            when r.status = 'success' then u.error  -- why it is degraded
            else coalesce(r.reason, u.error)
        end as error,
        k.is_charged,
        case when k.is_charged then k.calls else 0 end as calls,
        case when k.is_charged then k.request_count else 0 end as request_count,
        case when k.is_charged then coalesce(k.charged, k.request_count) else 0 end as charged,
        coalesce(r.records, 0) as records,
        r.watermark,
        coalesce(u.duration_ms, 0) as duration_ms,
        u.verdict
    from unnest(
        p_asset_ids, p_outcomes, p_faults, p_errors, p_request_counts, p_charged, p_durations_ms, p_verdicts
    ) with ordinality as u (asset_id, outcome, fault, error, request_count, charged, duration_ms, verdict, nth)
    cross join lateral (
        select
            not p_chunk.is_bulk or u.asset_id = p_chunk.asset_ids[1] as is_charged,
            case when p_chunk.is_bulk then p_chunk.calls else least(1, p_chunk.calls) end as calls,
            coalesce(
                case
                    when p_chunk.is_bulk then (select sum(c.calls) from unnest(p_request_counts) as c (calls))
                    else u.request_count
                end,
                case
                    when u.outcome = 'unsent' then 0
                    when p_chunk.is_bulk then p_chunk.calls
                    else least(1, p_chunk.calls)
                end
            )::integer as request_count,
            case
                when p_chunk.is_bulk then (select sum(c.calls) from unnest(p_charged) as c (calls))
                else u.charged
            end::integer as charged
    ) as k
    left join unnest(p_results) as r using (asset_id)
    where p_is_whole
        or u.asset_id = any (p_chunk.asset_ids) and u.nth = array_position(p_asset_ids, u.asset_id)
    order by u.asset_id  -- the order in which state rows are locked
$func$;
