-- Rows copied from the source database, as last read.

comment on schema recommender is
    'Which companies an investor may like: the source''s rows, models and recommendations.';

create table recommender.investors (
    investor_id bigint not null,
    name text not null,
    is_accelerator boolean not null default false,
    updated_at timestamptz not null,
    asset_id bigint not null,
    constraint investors_pkey primary key (investor_id)
);

comment on table recommender.investors is 'Investors of the source database.';
comment on column recommender.investors.investor_id is 'The source''s id.';
comment on column recommender.investors.name is 'Its name in the source.';
comment on column recommender.investors.is_accelerator is
    'It invested in nearly every company, so it reveals no taste and is left out of training.';
comment on column recommender.investors.updated_at is 'When the source changed the row.';
comment on column recommender.investors.asset_id is 'The asset of the operation that read it.';

create table recommender.businesses (
    business_id bigint not null,
    name text not null,
    status text,
    categories text,
    joined_year integer,
    updated_at timestamptz not null,
    asset_id bigint not null,
    constraint businesses_pkey primary key (business_id)
);

comment on table recommender.businesses is 'Companies of the source database.';
comment on column recommender.businesses.business_id is 'The source''s id.';
comment on column recommender.businesses.name is 'Its name in the source.';
comment on column recommender.businesses.status is 'Operating, Exited or Dead; null: unknown.';
comment on column recommender.businesses.categories is 'Separated by |.';
comment on column recommender.businesses.joined_year is 'When it joined the application; null: unknown.';
comment on column recommender.businesses.updated_at is 'When the source changed the row.';
comment on column recommender.businesses.asset_id is 'The asset of the operation that read it.';

create table recommender.deals (
    investor_id bigint not null,
    business_id bigint not null,
    updated_at timestamptz not null,
    asset_id bigint not null,
    constraint deals_pkey primary key (investor_id, business_id)
);

comment on table recommender.deals is 'Which investor invested in which company: the data that a model learns from.';
comment on column recommender.deals.investor_id is 'The investor.';
comment on column recommender.deals.business_id is 'The company.';
comment on column recommender.deals.updated_at is 'When the source wrote the row.';
comment on column recommender.deals.asset_id is 'The asset of the operation that read it.';

create table recommender.table_counts (
    asset_id bigint not null,
    rows bigint not null,
    counted_at timestamptz not null,
    constraint table_counts_pkey primary key (asset_id)
);

comment on table recommender.table_counts is 'The number of rows of each table of the source.';
comment on column recommender.table_counts.asset_id is 'The table, an asset of the universe noblestride_tables.';
comment on column recommender.table_counts.rows is 'Number of its rows.';
comment on column recommender.table_counts.counted_at is 'When they were counted.';

create table recommender.reports (
    name text not null,
    run_id text not null,
    report jsonb not null,
    created_at timestamptz not null,
    constraint reports_pkey primary key (name)
);

comment on table recommender.reports is 'A report of each run of noblestride_integration_pipeline.';
comment on column recommender.reports.name is 'noblestride_integration_report_<timestamp>.json.';
comment on column recommender.reports.run_id is 'The run.';
comment on column recommender.reports.report is 'What it found: services, tables, synchronization.';
comment on column recommender.reports.created_at is 'When.';
