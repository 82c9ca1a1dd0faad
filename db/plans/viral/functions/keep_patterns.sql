-- The patterns of each text. An answer that names none, or is something else, fails its text alone.

create or replace function viral.keep_patterns(
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
            $.hook_patterns.type() == "array" && $.emotion_patterns.type() == "array"
            && !exists($.hook_patterns[*] ? (@.type() != "string"))
            && !exists($.emotion_patterns[*] ? (@.type() != "string"))
            && $.pattern_strength >= 0 && $.pattern_strength <= 1', 'patterns')
    ),
    found as (
        select distinct a.code, f.kind, f.pattern, (a.said ->> 'pattern_strength')::double precision as strength
        from answer as a
        cross join lateral (
            select 'hook' as kind, h as pattern from jsonb_array_elements_text(a.said -> 'hook_patterns') as h
            union all
            select 'emotion', e from jsonb_array_elements_text(a.said -> 'emotion_patterns') as e
            union all
            select 'structure', a.said ->> 'structure' where a.said ? 'structure'
        ) as f
        where a.fault is null
    ),
    gone as (
        delete from viral.content_patterns as c
        using answer as a
        where a.fault is null
            and c.content_hash = a.code
            and not exists (
                select from found as f where (f.code, f.kind, f.pattern) = (c.content_hash, c.kind, c.pattern)
            )
    ),
    kept as (
        insert into viral.content_patterns as c (content_hash, kind, pattern, strength)
        select f.code, f.kind, f.pattern, f.strength
        from found as f
        on conflict (content_hash, kind, pattern) do update set strength = excluded.strength
        where c.strength <> excluded.strength
        returning c.content_hash
    )
    select
        a.asset_id, case when a.fault is null then 'success' else 'failed' end,
        (select count(*) from kept as k where k.content_hash = a.code)::integer, null::timestamptz, a.fault
    from answer as a;
$func$;

comment on function viral.keep_patterns(jsonb, bigint[], text[]) is
    'Ingest function of viral_patterns: the patterns of each text.';
