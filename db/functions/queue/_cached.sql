-- Which reported answers came from the cache: those for which no request was made. They say nothing of the provider.

create or replace function headgate._cached(
    p_asset_ids bigint[],
    p_outcomes text[],
    p_request_counts integer[],
    out assets bigint[],
    out asked text[]
)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select
        array_agg(u.asset_id) filter (where u.outcome = 'success' and u.request_count = 0),
        array_agg(
            case when u.outcome = 'success' and u.request_count = 0 then 'unsent' else u.outcome end order by u.nth
        )
    from unnest(p_asset_ids, p_outcomes, p_request_counts) with ordinality as u (asset_id, outcome, request_count, nth);
$func$;
