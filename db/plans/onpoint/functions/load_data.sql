-- The run's processed records into the tables. Loading a run twice changes nothing.

create or replace function onpoint.load_data(p_pipeline text, p_run_id text)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with post as (
        insert into onpoint.posts as t select p.* from onpoint.processed_posts(p_run_id) as p
        on conflict (id) do update set
            user_id = excluded.user_id, title = excluded.title, body = excluded.body,
            etl_processed_at = excluded.etl_processed_at
        where t.etl_processed_at < excluded.etl_processed_at
        returning t.id
    ),
    person as (
        insert into onpoint.users as t select p.* from onpoint.processed_users(p_run_id) as p
        on conflict (id) do update set
            name = excluded.name, username = excluded.username, email = excluded.email, phone = excluded.phone,
            website = excluded.website, city = excluded.city, company = excluded.company,
            etl_processed_at = excluded.etl_processed_at
        where t.etl_processed_at < excluded.etl_processed_at
        returning t.id
    ),
    comment as (
        insert into onpoint.comments as t select p.* from onpoint.processed_comments(p_run_id) as p
        on conflict (id) do update set
            post_id = excluded.post_id, name = excluded.name, email = excluded.email, body = excluded.body,
            etl_processed_at = excluded.etl_processed_at
        where t.etl_processed_at < excluded.etl_processed_at
        returning t.id
    ),
    story as (
        insert into onpoint.stories as t select p.* from onpoint.processed_stories(p_run_id) as p
        on conflict (id) do update set
            title = excluded.title, url = excluded.url, author = excluded.author, score = excluded.score,
            comments_count = excluded.comments_count, rank = excluded.rank, published_at = excluded.published_at,
            etl_processed_at = excluded.etl_processed_at
        where t.etl_processed_at < excluded.etl_processed_at
        returning t.id
    )
    select jsonb_build_object(
        'posts', (select count(*) from post), 'users', (select count(*) from person),
        'comments', (select count(*) from comment), 'stories', (select count(*) from story)
    );
$func$;

comment on function onpoint.load_data(text, text) is
    'Write a run''s processed records into the tables; a record that a later run has written stays. Returns how many '
    'rows each table got.';
