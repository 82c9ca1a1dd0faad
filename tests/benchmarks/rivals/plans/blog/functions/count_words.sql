create or replace function blog.count_words(p_context jsonb, p_asset_ids bigint[], p_payloads text[])
returns setof headgate.ingest_result
language sql
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with written as (
        insert into blog.word_counts as n (asset_id, words)
        select t.asset_id, count(*)
        from (
            select p.asset_id, p.body from blog.posts as p
            union all
            select c.asset_id, c.body from blog.comments as c
        ) as t
        cross join lateral regexp_split_to_table(t.body, '\s+') as w (word)
        where t.asset_id = any (p_asset_ids) and w.word <> ''
        group by t.asset_id
        on conflict (asset_id) do update
        set words = excluded.words
        where n.words <> excluded.words
        returning n.asset_id
    )
    select a.asset_id, 'success', count(w.asset_id)::integer, null::timestamptz, null::text
    from unnest(p_asset_ids) as a (asset_id)
    left join written as w using (asset_id)
    group by a.asset_id;
$func$;
