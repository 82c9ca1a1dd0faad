-- New variants of a persona. What is known of them comes with the orchestrator's totals.

create or replace function viral.keep_variants(
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
    with answer as materialized (
        select *
        from viral.judged_answers(p_asset_ids, p_payloads, '
            $.variants.type() == "array" && !exists($.variants[*] ? (@.variant_id.type() != "string"))', 'variants')
    ),
    kept as (
        insert into viral.variants (variant_id, persona, content, dimensions, created_at)
        select distinct on (v.variant_id)
            v.variant_id, a.code, v.sample_content, coalesce(v.dimensions, '{}'), (p_context ->> 'now')::timestamptz
        from answer as a
        cross join lateral jsonb_to_recordset(a.said -> 'variants')
            as v (variant_id text, sample_content text, dimensions jsonb)
        where a.fault is null
        on conflict (variant_id) do nothing
        returning persona
    )
    select
        a.asset_id, case when a.fault is null then 'success' else 'failed' end,
        (select count(*) from kept as k where k.persona = a.code)::integer, null::timestamptz, a.fault
    from answer as a;
$func$;

comment on function viral.keep_variants(jsonb, bigint[], text[]) is
    'Ingest function of viral_generate: a persona''s new variants.';
