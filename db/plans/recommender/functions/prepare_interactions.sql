-- Cleans the extracted data: deals whose investor and company are known, without accelerators; and companies' features.

create or replace function recommender.prepare_interactions(
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
    v_written bigint;
begin
    delete from recommender.interactions as i
    where not exists (
        select
        from recommender.deals as d
        join recommender.investors as v using (investor_id)
        where d.investor_id = i.investor_id and d.business_id = i.business_id and not v.is_accelerator
    );
    insert into recommender.interactions
    select d.investor_id, d.business_id
    from recommender.deals as d
    join recommender.investors as v using (investor_id)
    join recommender.businesses as b using (business_id)
    where not v.is_accelerator
    on conflict do nothing;
    get diagnostics v_written = row_count;
    delete from recommender.features;
    insert into recommender.features
    select distinct b.business_id, f.feature
    from recommender.businesses as b
    cross join lateral (
        select 'category ' || c from string_to_table(b.categories, '|') as c where c <> ''
        union all select 'status ' || b.status
        union all select 'joined ' || b.joined_year
    ) as f (feature)
    where f.feature is not null;

    insert into recommender.training_sets
    select
        p_context ->> 'run_id', count(*), (select count(distinct t.business_id) from recommender.interactions as t),
        coalesce(sum(i.deals), 0), count(*) filter (where i.deals = 1),
        (select count(distinct f.feature) from recommender.features as f), (p_context ->> 'now')::timestamptz
    from (select count(*) as deals from recommender.interactions as t group by t.investor_id) as i
    on conflict (run_id) do update
    set investors = excluded.investors,
        businesses = excluded.businesses,
        deals = excluded.deals,
        cold_investors = excluded.cold_investors,
        features = excluded.features,
        prepared_at = excluded.prepared_at;

    return query select u.*, 'success', v_written::integer, null::timestamptz, null::text from unnest(p_asset_ids) as u;
end;
$func$;

comment on function recommender.prepare_interactions(jsonb, bigint[], text[]) is
    'Ingest function of recommender_preprocess, which makes no call: prepares deals, features and their counts for '
    'training.';
