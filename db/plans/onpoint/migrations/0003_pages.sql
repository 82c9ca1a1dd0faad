-- Pages of the crawled web site.

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

comment on table onpoint.pages is 'Pages of the web site, the latest state of each.';
comment on column onpoint.pages.asset_id is 'The page.';
comment on column onpoint.pages.path is 'Its path and query.';
comment on column onpoint.pages.depth is 'Its distance in links from the first page of the crawl.';
comment on column onpoint.pages.title is 'Its title.';
comment on column onpoint.pages.description is 'Its own short description.';
comment on column onpoint.pages.language is 'The language that it declares.';
comment on column onpoint.pages.encoding is 'The character encoding it was read with.';
comment on column onpoint.pages.content is 'Its text, without markup.';
comment on column onpoint.pages.content_hash is 'MD5 of the text: equal for pages with the same text.';
comment on column onpoint.pages.links is 'How many pages it links to.';
comment on column onpoint.pages.run_id is 'The run that stored it in this state.';
comment on column onpoint.pages.crawled_at is 'When that run stored it.';

create index pages_content_idx on onpoint.pages (content_hash);
comment on index onpoint.pages_content_idx is 'Finds a page with the same text.';
