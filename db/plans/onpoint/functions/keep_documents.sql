-- Stores lists of records as they came; an answer that is not a list fails.

create or replace function onpoint.keep_documents(
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
    with answer as (
        select a.asset_id, a.code, u.payload::jsonb as document
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as a using (asset_id)
    ),
    kept as (
        insert into onpoint.raw_documents (run_id, name, document, crawled_at)
        select p_context ->> 'run_id', a.code, a.document, (p_context ->> 'now')::timestamptz
        from answer as a
        where jsonb_typeof(a.document) = 'array'
        on conflict (run_id, name) do update set
            document = excluded.document,
            crawled_at = excluded.crawled_at
        returning name, jsonb_array_length(document) as records
    )
    select
        a.asset_id,
        case when k.name is null then 'failed' else 'success' end,
        k.records,
        null::timestamptz,
        case when k.name is null then format('the answer is %s, not an array', jsonb_typeof(a.document)) end
    from answer as a
    left join kept as k on k.name = a.code;
$func$;

comment on function onpoint.keep_documents(jsonb, bigint[], text[]) is
    'Ingest function of onpoint_lists: stores each answer as a raw document of the run.';
