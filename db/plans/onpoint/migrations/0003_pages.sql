-- Pages of the web site that is crawled.

create table onpoint.pages (
    asset_id bigint not null,
    path text not null,
    depth integer not null,
    title text,
    description text,
    language text,
    encoding text not null,
    content text not null,
    content_hash text not null generated always as (md5(content)) stored,
    links integer not null,
    run_id text not null,
    crawled_at timestamptz not null,
    constraint pages_pkey primary key (asset_id)
);

comment on table onpoint.pages is 'Pages of the web site, the last state of each.';
comment on column onpoint.pages.asset_id is 'The page.';
comment on column onpoint.pages.path is 'Its path and query.';
comment on column onpoint.pages.depth is 'How many links away it is from where the crawl begins.';
comment on column onpoint.pages.title is 'Its title.';
comment on column onpoint.pages.description is 'What it says of itself in short.';
comment on column onpoint.pages.language is 'The language that it says it is in.';
comment on column onpoint.pages.encoding is 'What it was read as.';
comment on column onpoint.pages.content is 'Its text, without markup.';
comment on column onpoint.pages.content_hash is 'The same for pages with the same text.';
comment on column onpoint.pages.links is 'How many pages it links to.';
comment on column onpoint.pages.run_id is 'The run that found it as it is.';
comment on column onpoint.pages.crawled_at is 'When that was.';

create index pages_content_idx on onpoint.pages (content_hash);
comment on index onpoint.pages_content_idx is 'Finds a page with the same text.';
