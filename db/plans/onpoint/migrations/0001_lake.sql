-- The crawled records as they came, and the tables that people query.

comment on schema onpoint is
    'From crawl to lake: answers of services and pages, cleaned, checked, and stored in files and tables.';

create table onpoint.raw_documents (
    run_id text not null,
    name text not null,
    document jsonb not null,
    crawled_at timestamptz not null,
    constraint raw_documents_pkey primary key (run_id, name)
);

comment on table onpoint.raw_documents is 'Lists of records as services returned them, run by run.';
comment on column onpoint.raw_documents.run_id is 'The run that requested it.';
comment on column onpoint.raw_documents.name is 'The data set, such as jsonplaceholder_posts.';
comment on column onpoint.raw_documents.document is 'The answer: an array of records.';
comment on column onpoint.raw_documents.crawled_at is 'When it was stored.';

create table onpoint.raw_stories (
    run_id text not null,
    story_id bigint not null,
    rank integer not null,
    item jsonb not null,
    crawled_at timestamptz not null,
    constraint raw_stories_pkey primary key (run_id, story_id)
);

comment on table onpoint.raw_stories is 'Stories as Hacker News returned them, one for each request, run by run.';
comment on column onpoint.raw_stories.run_id is 'The run that requested it.';
comment on column onpoint.raw_stories.story_id is 'Its number at Hacker News.';
comment on column onpoint.raw_stories.rank is 'Its place among the top stories when they were listed, from 1.';
comment on column onpoint.raw_stories.item is 'The answer.';
comment on column onpoint.raw_stories.crawled_at is 'When it was stored.';

create table onpoint.posts (
    id bigint not null,
    user_id bigint,
    title text,
    body text,
    etl_processed_at timestamptz not null,
    constraint posts_pkey primary key (id)
);

comment on table onpoint.posts is 'Posts, the latest state of each.';
comment on column onpoint.posts.id is 'Its number.';
comment on column onpoint.posts.user_id is 'The user who wrote it.';
comment on column onpoint.posts.title is 'Its title.';
comment on column onpoint.posts.body is 'Its text.';
comment on column onpoint.posts.etl_processed_at is 'When a run last loaded it.';

create table onpoint.users (
    id bigint not null,
    name text,
    username text,
    email text,
    phone text,
    website text,
    city text,
    company text,
    etl_processed_at timestamptz not null,
    constraint users_pkey primary key (id)
);

comment on table onpoint.users is 'Users, the latest state of each.';
comment on column onpoint.users.id is 'Their number.';
comment on column onpoint.users.name is 'Their name.';
comment on column onpoint.users.username is 'Their user name at the service.';
comment on column onpoint.users.email is 'Their mail address, in lower case.';
comment on column onpoint.users.phone is 'Their telephone number as they wrote it.';
comment on column onpoint.users.website is 'Their web site.';
comment on column onpoint.users.city is 'The city they live in.';
comment on column onpoint.users.company is 'The company they work for.';
comment on column onpoint.users.etl_processed_at is 'When a run last loaded them.';

create table onpoint.comments (
    id bigint not null,
    post_id bigint,
    name text,
    email text,
    body text,
    etl_processed_at timestamptz not null,
    constraint comments_pkey primary key (id)
);

comment on table onpoint.comments is 'Comments, the latest state of each.';
comment on column onpoint.comments.id is 'Its number.';
comment on column onpoint.comments.post_id is 'The post that it comments on.';
comment on column onpoint.comments.name is 'Its title.';
comment on column onpoint.comments.email is 'The author''s mail address, in lower case.';
comment on column onpoint.comments.body is 'Its text.';
comment on column onpoint.comments.etl_processed_at is 'When a run last loaded it.';

create table onpoint.stories (
    id bigint not null,
    title text,
    url text,
    author text,
    score integer,
    comments_count integer,
    rank integer,
    published_at timestamptz,
    etl_processed_at timestamptz not null,
    constraint stories_pkey primary key (id)
);

comment on table onpoint.stories is 'Stories, the latest state of each.';
comment on column onpoint.stories.id is 'Its number.';
comment on column onpoint.stories.title is 'Its title.';
comment on column onpoint.stories.url is 'The address it links to; null: it is a text.';
comment on column onpoint.stories.author is 'Who submitted it.';
comment on column onpoint.stories.score is 'Its points.';
comment on column onpoint.stories.comments_count is 'How many comments it has.';
comment on column onpoint.stories.rank is 'Its place among the top stories, from 1.';
comment on column onpoint.stories.published_at is 'When it was submitted.';
comment on column onpoint.stories.etl_processed_at is 'When a run last loaded it.';

create table onpoint.user_activity (
    user_id bigint not null,
    posts bigint not null,
    comments bigint not null,
    etl_processed_at timestamptz not null,
    constraint user_activity_pkey primary key (user_id)
);

comment on table onpoint.user_activity is 'Activity of users, as of the last run that loaded them.';
comment on column onpoint.user_activity.user_id is 'The user.';
comment on column onpoint.user_activity.posts is 'Posts of the user.';
comment on column onpoint.user_activity.comments is 'Comments on these posts.';
comment on column onpoint.user_activity.etl_processed_at is 'When a run last loaded the user.';
