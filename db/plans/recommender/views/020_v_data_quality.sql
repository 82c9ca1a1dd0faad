-- How good the extracted data are: completeness, consistency, timeliness.

drop view if exists recommender.v_data_quality cascade;

create view recommender.v_data_quality as
select
    'completeness' as figure,
    avg(case when b.categories is not null and b.status is not null then 1 else 0 end)::double precision as value,
    'companies with status and categories' as meaning
from recommender.businesses as b
union all
select
    'consistency',
    avg(case when v.investor_id is not null and b.business_id is not null then 1 else 0 end),
    'deals whose investor and company are known'
from recommender.deals as d
left join recommender.investors as v using (investor_id)
left join recommender.businesses as b using (business_id)
union all
select
    'timeliness', extract(epoch from headgate.clock() - max(f.succeeded_at)) / 3600,
    'hours since the last extraction'
from headgate.v_asset_states as f
where f.operation in ('noblestride_investors', 'noblestride_businesses', 'noblestride_deals');

comment on view recommender.v_data_quality is 'Completeness and consistency as shares, timeliness in hours.';
comment on column recommender.v_data_quality.figure is 'completeness, consistency or timeliness.';
comment on column recommender.v_data_quality.value is 'A share from 0 to 1, or hours; null: nothing was extracted.';
comment on column recommender.v_data_quality.meaning is 'What is counted.';
