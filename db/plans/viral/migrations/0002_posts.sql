-- Posts of the accounts that are watched, and what makes them work.

create table viral.posts (
    post_url text not null,
    asset_id bigint not null,
    content text not null,
    posted_at timestamptz not null,
    likes bigint not null,
    comments bigint not null,
    shares bigint not null,
    engagement_rate double precision not null,
    is_viral boolean not null default false,
    run_id text not null,
    constraint posts_pkey primary key (post_url),
    constraint counts_are_not_negative check (likes >= 0 and comments >= 0 and shares >= 0),
    constraint engagement_rate_in_range check (engagement_rate between 0 and 1)
);

create index posts_posted_at_idx on viral.posts (posted_at);
create index posts_text_idx on viral.posts (md5(content));

comment on index viral.posts_posted_at_idx is
    'Finds the posts of the last days, and those that are old enough to be deleted.';
comment on index viral.posts_text_idx is 'Finds the posts with a text.';
comment on table viral.posts is 'Posts of the watched accounts, each once.';
comment on column viral.posts.post_url is 'Its address, by which it is known.';
comment on column viral.posts.asset_id is 'The account.';
comment on column viral.posts.content is 'Its text.';
comment on column viral.posts.posted_at is 'When it was published.';
comment on column viral.posts.likes is 'As last read.';
comment on column viral.posts.comments is 'As last read.';
comment on column viral.posts.shares is 'As last read.';
comment on column viral.posts.engagement_rate is 'Share of those who saw it that reacted, 0 to 1.';
comment on column viral.posts.is_viral is 'It is above the percentile of engagement that its run asked for.';
comment on column viral.posts.run_id is 'The run that read it first.';

create table viral.refused_posts (
    run_id text not null,
    asset_id bigint not null,
    post_hash text not null,
    post jsonb not null,
    reason text not null,
    refused_at timestamptz not null,
    constraint refused_posts_pkey primary key (asset_id, post_hash)
);

comment on table viral.refused_posts is 'Posts that the scraper sent and that are none, for 30 days.';
comment on column viral.refused_posts.run_id is 'The run that read it first.';
comment on column viral.refused_posts.asset_id is 'The account.';
comment on column viral.refused_posts.post_hash is 'MD5 of the post, by which it is known.';
comment on column viral.refused_posts.post is 'What was sent.';
comment on column viral.refused_posts.reason is 'What is wrong with it.';
comment on column viral.refused_posts.refused_at is 'When.';

create table viral.content_patterns (
    content_hash text not null,
    kind text not null,
    pattern text not null,
    strength double precision not null,
    constraint content_patterns_pkey primary key (content_hash, kind, pattern),
    constraint kind_is_known check (kind in ('hook', 'emotion', 'structure')),
    constraint strength_in_range check (strength between 0 and 1)
);

comment on table viral.content_patterns is 'Patterns that the engine found in a text.';
comment on column viral.content_patterns.content_hash is 'MD5 of the text: equal texts are analysed once.';
comment on column viral.content_patterns.kind is 'hook, emotion or structure.';
comment on column viral.content_patterns.pattern is 'Such as curiosity_gap, surprise or short.';
comment on column viral.content_patterns.strength is 'How clear it is, 0 to 1.';

create table viral.pattern_scores (
    run_id text not null,
    kind text not null,
    pattern text not null,
    posts bigint not null,
    engagement_rate double precision not null,
    is_expected_above boolean not null,
    threshold double precision not null,
    later_posts bigint not null,
    hits bigint not null,
    scored_at timestamptz not null,
    constraint pattern_scores_pkey primary key (run_id, kind, pattern)
);

create index pattern_scores_scored_at_idx on viral.pattern_scores (scored_at);

comment on index viral.pattern_scores_scored_at_idx is
    'Finds the last scores, and those that are old enough to be deleted.';
comment on table viral.pattern_scores is
    'What a run learned of each pattern, and how the scores before it fared with the posts that came later.';
comment on column viral.pattern_scores.run_id is 'The run.';
comment on column viral.pattern_scores.kind is 'hook, emotion or structure.';
comment on column viral.pattern_scores.pattern is 'The pattern.';
comment on column viral.pattern_scores.posts is 'Posts of the run''s days that have it.';
comment on column viral.pattern_scores.engagement_rate is 'Their mean.';
comment on column viral.pattern_scores.is_expected_above is 'Posts to come with it are expected above the threshold.';
comment on column viral.pattern_scores.threshold is 'The median of all posts of these days.';
comment on column viral.pattern_scores.later_posts is 'Posts with it that came since the scores before.';
comment on column viral.pattern_scores.hits is 'How many of them were where those scores expected them.';
comment on column viral.pattern_scores.scored_at is 'When.';
