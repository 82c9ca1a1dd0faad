-- Derives data from several record types of a run: the activity of each user, and the number of orphaned records.

create or replace function onpoint.run_etl(p_pipeline text, p_run_id text)
returns jsonb
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with post as materialized (
        select p.id, p.user_id from onpoint.processed_posts(p_run_id) as p
    ),
    comment as materialized (
        select c.id, c.post_id from onpoint.processed_comments(p_run_id) as c
    ),
    person as materialized (
        select u.id, u.etl_processed_at from onpoint.processed_users(p_run_id) as u
    ),
    active as (
        insert into onpoint.user_activity as t (user_id, posts, comments, etl_processed_at)
        select u.id, count(distinct p.id), count(c.id), u.etl_processed_at
        from person as u
        left join post as p on p.user_id = u.id
        left join comment as c on c.post_id = p.id
        group by u.id, u.etl_processed_at
        on conflict (user_id) do update set
            posts = excluded.posts, comments = excluded.comments, etl_processed_at = excluded.etl_processed_at
        where t.etl_processed_at < excluded.etl_processed_at
        returning t.user_id
    )
    select jsonb_build_object(
        'users', (select count(*) from active),
        'posts_without_user', (select count(*) from post as p where p.user_id not in (select u.id from person as u)),
        'comments_without_post', (select count(*) from comment as c where c.post_id not in (select p.id from post as p))
    );
$func$;

comment on function onpoint.run_etl(text, text) is
    'Derive onpoint.user_activity from a run; returns how many users changed, and how many records lack their user or '
    'post.';
