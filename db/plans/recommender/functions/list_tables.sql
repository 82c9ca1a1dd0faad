-- Turns the source's tables into assets, so that each is counted by a job of its own.

create or replace function recommender.list_tables(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_tables constant jsonb := p_payloads[1];
    v_gone record;
begin
    perform headgate.upsert_assets('noblestride_tables', (
        select coalesce(jsonb_agg(jsonb_build_object(
            'code', t.item ->> 'name', 'group_key', 'table',
            'attributes', jsonb_build_object('schema', t.item ->> 'schema')
        )), '[]')
        from jsonb_array_elements(v_tables) as t (item)
    ));
    perform headgate.set_asset_active(a.asset_id, v_tables @> jsonb_build_array(jsonb_build_object('name', a.code)))
    from headgate.v_assets as a
    where a.universe = 'noblestride_tables'
        and a.is_active <> v_tables @> jsonb_build_array(jsonb_build_object('name', a.code));
    return query select p_asset_ids[1], 'success', jsonb_array_length(v_tables), null::timestamptz, null::text;
end;
$func$;

comment on function recommender.list_tables(jsonb, bigint[], text[]) is
    'Ingest function of noblestride_tables: turns the source''s tables into assets; dropped tables are no longer '
    'counted.';
