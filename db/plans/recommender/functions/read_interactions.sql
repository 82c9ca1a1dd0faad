-- All deals to learn from, followed by the companies' features, for the single asset that is trained.

create or replace function recommender.read_interactions(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, user_id bigint[], item_id bigint[], is_feature boolean[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p_asset_ids[1], array_agg(r.user_id), array_agg(r.item_id), array_agg(r.is_feature)
    from (
        select i.investor_id as user_id, i.business_id as item_id, false as is_feature
        from recommender.interactions as i
        union all
        select dense_rank() over (order by f.feature), f.business_id, true
        from recommender.features as f
        order by is_feature, user_id, item_id
    ) as r;
$func$;

comment on function recommender.read_interactions(jsonb, bigint[]) is
    'Input function of recommender_model: deals, followed by the features of companies.';
