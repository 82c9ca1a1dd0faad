-- Reported answers as an ingest function may take them.

create or replace function headgate._answers(
    p_asset_ids bigint[],
    p_payloads text[],
    p_request_counts integer[],
    p_durations_ms integer[],
    p_answers text[]
)
returns headgate.answer[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select row(
            u.asset_id,
            (h.head ->> 'status')::integer,
            coalesce(h.head -> 'headers', '{}'),
            u.payload,
            coalesce((h.head ->> 'duration_ms')::numeric, u.duration_ms),
            u.request_count,
            coalesce((h.head ->> 'from_cache')::boolean, false)
        )::headgate.answer
        from unnest(p_asset_ids, p_payloads, p_request_counts, p_durations_ms, p_answers) with ordinality
            as u (asset_id, payload, request_count, duration_ms, answer, nth)
        cross join lateral (select u.answer::jsonb as head offset 0) as h
        order by u.nth
    );
$func$;
