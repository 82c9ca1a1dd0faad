-- All deals to learn from, for the one asset that is trained.

create or replace function recommender.read_interactions(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, user_id bigint[], item_id bigint[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_asset_ids[1],
        array_agg(i.investor_id order by i.investor_id, i.business_id),
        array_agg(i.business_id order by i.investor_id, i.business_id)
    from recommender.interactions as i;
$func$;

comment on function recommender.read_interactions(jsonb, bigint[]) is
    'Input function of recommender_model: investors and companies of all deals to learn from.';
