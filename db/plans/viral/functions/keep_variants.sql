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
    with answer as (
        select a.asset_id, a.code as persona, u.payload::jsonb as said,
            coalesce(u.payload::jsonb @@ '$.variants.type() == "array"
                && !exists($.variants[*] ? (@.variant_id.type() != "string"))', false) as is_sound
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as a using (asset_id)
    ),
    kept as (
        insert into viral.variants (variant_id, persona, content, dimensions, created_at)
        select distinct on (v.variant_id)
            v.variant_id, a.persona, v.sample_content, coalesce(v.dimensions, '{}'), (p_context ->> 'now')::timestamptz
        from answer as a
        cross join lateral jsonb_to_recordset(a.said -> 'variants')
            as v (variant_id text, sample_content text, dimensions jsonb)
        where a.is_sound
        on conflict (variant_id) do nothing
        returning persona
    )
    select
        a.asset_id, case when a.is_sound then 'success' else 'failed' end,
        (select count(*) from kept as k where k.persona = a.persona)::integer, null::timestamptz,
        case when not a.is_sound then 'the answer has no variants: ' || left(a.said::text, 100) end
    from answer as a;
$func$;

comment on function viral.keep_variants(jsonb, bigint[], text[]) is
    'Ingest function of viral_generate: a persona''s new variants.';
