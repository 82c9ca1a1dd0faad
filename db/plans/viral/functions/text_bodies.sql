-- The request for each text: its content alone, so that equal texts make equal requests.

create or replace function viral.text_bodies(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, body jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select a.asset_id, jsonb_build_object('content', p.content)
    from headgate.v_assets as a
    cross join lateral (select p.content from viral.posts as p where md5(p.content) = a.code limit 1) as p
    where a.asset_id = any (p_asset_ids);
$func$;

comment on function viral.text_bodies(jsonb, bigint[]) is 'Bodies of viral_patterns: the texts to analyse.';
