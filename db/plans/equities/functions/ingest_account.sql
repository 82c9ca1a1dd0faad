-- Turns EODHD's /user answer into the quota's used_elsewhere. Until the first request of a day the count is
-- yesterday's, so its date is passed on with it.

create or replace function equities.ingest_account(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        a.asset_id,
        'success',
        r.used_elsewhere,
        null::timestamptz,
        case when r.used_elsewhere is null then 'the count is not of today' end
    from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
    cross join lateral headgate.reconcile_quota(
        'eodhd', (a.payload::jsonb ->> 'apiRequests')::integer, (a.payload::jsonb ->> 'apiRequestsDate')::date
    ) as r;
$func$;

comment on function equities.ingest_account(jsonb, bigint[], text[]) is
    'Ingest function of account_usage: EODHD''s own count of today''s units.';
