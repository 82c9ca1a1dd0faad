-- Writes what the indicators' handler computed: one row per listing, which replaces its previous row.

create or replace function equities.ingest_indicators(
    p_context jsonb,
    p_asset_ids bigint[],
    p_rows equities.technical_indicators[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from equities.technical_indicators as t
    where t.asset_id = any (p_asset_ids);

    insert into equities.technical_indicators
    select r.*
    from unnest(p_rows) as r
    order by r.asset_id;

    return query
    select r.asset_id, 'success', 1, r.date::timestamp at time zone 'UTC', null::text
    from unnest(p_rows) as r;
end;
$func$;

comment on function equities.ingest_indicators(jsonb, bigint[], equities.technical_indicators[]) is
    'Ingest function of indicators_calculation: replaces the rows of the listings that were computed.';
