-- Ten companies for each investor, by the model in use.

drop view if exists recommender.v_recommendations cascade;

create view recommender.v_recommendations as
select v.name as investor, b.name as company, s.rank, s.score, s.model_version
from (
    select
        t.*,
        row_number() over (partition by t.investor_id order by t.score desc, t.recommended_id) as rank
    from (
        select i.investor_id, w.recommended_id, sum(w.weight) as score, m.model_version
        from recommender.models as m
        join recommender.model_weights as w on w.model_version = m.model_version
        join recommender.interactions as i on i.business_id = w.business_id
        where m.is_in_use
        group by i.investor_id, w.recommended_id, m.model_version
    ) as t
    where not exists (
        select
        from recommender.interactions as k
        where k.investor_id = t.investor_id and k.business_id = t.recommended_id
    )
) as s
join recommender.investors as v using (investor_id)
join recommender.businesses as b on b.business_id = s.recommended_id
where s.rank <= 10;

comment on view recommender.v_recommendations is 'Ten companies for each investor that they have not invested in yet.';
comment on column recommender.v_recommendations.investor is 'The investor.';
comment on column recommender.v_recommendations.company is 'A company they have not invested in.';
comment on column recommender.v_recommendations.rank is '1 is the best.';
comment on column recommender.v_recommendations.score is 'The model''s score; comparable within one investor only.';
comment on column recommender.v_recommendations.model_version is 'The model that computed it.';
