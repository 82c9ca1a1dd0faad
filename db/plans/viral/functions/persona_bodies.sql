-- What new variants are made of: the viral post of the last days that most people reacted to.

create or replace function viral.persona_bodies(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, body jsonb)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select a.asset_id, jsonb_build_object('persona_id', a.code, 'base_content', p.content)
    from headgate.v_assets as a
    cross join lateral (
        select t.content
        from viral.posts as t
        where t.is_viral
            and t.posted_at >= (p_context ->> 'now')::timestamptz
                - make_interval(days => (p_context #>> '{params,days_back}')::integer)
        order by t.engagement_rate desc, t.post_url
        limit 1
    ) as p
    where a.asset_id = any (p_asset_ids);
$func$;

comment on function viral.persona_bodies(jsonb, bigint[]) is
    'Bodies of viral_generate: the persona, and the post that its variants are made of.';
