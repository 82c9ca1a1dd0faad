-- Models as rows: their measurements, and their weights. At most one is in use.

create table recommender.training_sets (
    run_id text not null,
    investors bigint not null,
    businesses bigint not null,
    deals bigint not null,
    cold_investors bigint not null,
    features bigint not null,
    prepared_at timestamptz not null,
    constraint training_sets_pkey primary key (run_id)
);

comment on table recommender.training_sets is 'The result of preprocess_data, for each run.';
comment on column recommender.training_sets.run_id is 'The run of recommender_training_pipeline.';
comment on column recommender.training_sets.investors is 'Investors with a deal, accelerators left out.';
comment on column recommender.training_sets.businesses is 'Companies with such a deal.';
comment on column recommender.training_sets.deals is 'Deals to learn from.';
comment on column recommender.training_sets.cold_investors is
    'Investors with a single deal, on whom nothing can be tested.';
comment on column recommender.training_sets.features is 'Distinct features of companies.';
comment on column recommender.training_sets.prepared_at is 'When.';

create table recommender.interactions (
    investor_id bigint not null,
    business_id bigint not null,
    constraint interactions_pkey primary key (investor_id, business_id)
);

comment on table recommender.interactions is 'The deals that models learn from: cleaned, accelerators left out.';
comment on column recommender.interactions.investor_id is 'The investor.';
comment on column recommender.interactions.business_id is 'The company.';

create table recommender.features (
    business_id bigint not null,
    feature text not null,
    constraint features_pkey primary key (business_id, feature)
);

comment on table recommender.features is 'Features of companies beside their deals.';
comment on column recommender.features.business_id is 'The company.';
comment on column recommender.features.feature is 'Such as category Fintech, status Exited or joined 2012.';

create table recommender.models (
    model_version text not null,
    run_id text not null,
    trained_at timestamptz not null,
    training_samples integer not null,
    tested_users integer not null,
    precision_at_10 double precision not null,
    recall_at_10 double precision not null,
    ndcg_at_10 double precision not null,
    popularity_precision_at_10 double precision not null,
    popularity_recall_at_10 double precision not null,
    popularity_ndcg_at_10 double precision not null,
    is_in_use boolean not null default false,
    decision text,
    constraint models_pkey primary key (model_version)
);

comment on table recommender.models is 'Trained models and their measurements; model_weights holds their weights.';
comment on column recommender.models.model_version is 'vYYYYMMDD_HHMMSS: when it was trained, UTC.';
comment on column recommender.models.run_id is 'The run that trained it.';
comment on column recommender.models.trained_at is 'When.';
comment on column recommender.models.training_samples is 'Number of deals it learned from.';
comment on column recommender.models.tested_users is 'Number of investors tested, over all folds.';
comment on column recommender.models.precision_at_10 is 'Share of ten recommendations that are held-out deals.';
comment on column recommender.models.recall_at_10 is 'Share of held-out deals found among ten recommendations.';
comment on column recommender.models.ndcg_at_10 is 'Like recall, but higher ranks count more; 1 is perfect.';
comment on column recommender.models.popularity_precision_at_10 is
    'The same measure when the most popular companies are recommended.';
comment on column recommender.models.popularity_recall_at_10 is
    'The same measure when the most popular companies are recommended.';
comment on column recommender.models.popularity_ndcg_at_10 is
    'The same measure when the most popular companies are recommended.';
comment on column recommender.models.is_in_use is 'True: recommendations come from it.';
comment on column recommender.models.decision is 'Why it was put in use or not; null: not decided yet.';

create unique index models_in_use_idx on recommender.models (is_in_use) where is_in_use;
comment on index recommender.models_in_use_idx is 'At most one model is in use.';

create table recommender.model_weights (
    model_version text not null,
    business_id bigint not null,
    recommended_id bigint not null,
    weight double precision not null,
    constraint model_weights_pkey primary key (model_version, business_id, recommended_id),
    constraint a_weight_has_a_model
        foreign key (model_version) references recommender.models on delete cascade
);

comment on table recommender.model_weights is
    'The weights of a model: how much an investment in one company speaks for another.';
comment on column recommender.model_weights.model_version is 'The model.';
comment on column recommender.model_weights.business_id is 'A company that the investor has invested in.';
comment on column recommender.model_weights.recommended_id is 'A company that may be recommended.';
comment on column recommender.model_weights.weight is 'Added to its score.';

create type recommender.trained_row as (
    asset_id bigint,
    figure text,
    item_id bigint,
    neighbour_id bigint,
    value double precision
);

comment on type recommender.trained_row is 'A row of the handler recommender: a figure by its name, or a weight.';
