create table blog.posts (
    asset_id bigint primary key,
    title text not null,
    body text not null
);

create table blog.comments (
    comment_id bigint primary key,
    asset_id bigint not null,
    email text not null,
    body text not null
);

create index comments_post_idx on blog.comments (asset_id);

create table blog.word_counts (
    asset_id bigint primary key,
    words integer not null
);
