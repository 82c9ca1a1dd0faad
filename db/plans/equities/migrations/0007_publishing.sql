-- Which prices are published.

create table equities.publications (
    group_key text not null,
    published_to date not null,
    published_at timestamptz not null,
    run_id text,
    constraint publications_pkey primary key (group_key)
);

comment on table equities.publications is 'How far each exchange''s prices are published, and as of when.';
comment on column equities.publications.group_key is 'The exchange code.';
comment on column equities.publications.published_to is 'The last session that is published.';
comment on column equities.publications.published_at is
    'When it was published; later corrections are not shown before the next publication.';
comment on column equities.publications.run_id is 'The run that published it.';
