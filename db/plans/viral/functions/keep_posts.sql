-- A page of an account's posts. What is no post is put aside with the reason, so that it holds up no others.

create or replace function viral.keep_posts(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
    with sent as (
        select u.asset_id, p.post, viral.post_fault(p.post) as fault
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        cross join lateral jsonb_array_elements(u.payload::jsonb -> 'posts') as p (post)
    ),
    refused as (
        insert into viral.refused_posts (run_id, asset_id, post_hash, post, reason, refused_at)
        select distinct on (s.asset_id, s.post)
            p_context ->> 'run_id', s.asset_id, md5(s.post::text), s.post, s.fault, (p_context ->> 'now')::timestamptz
        from sent as s
        where s.fault is not null
        on conflict do nothing
    ),
    kept as (
        insert into viral.posts as p (
            post_url, asset_id, content, posted_at, likes, comments, shares, engagement_rate, run_id
        )
        select distinct on (s.post ->> 'post_url')
            s.post ->> 'post_url', s.asset_id, s.post ->> 'content', (s.post ->> 'timestamp')::timestamptz,
            (s.post ->> 'likes')::bigint, (s.post ->> 'comments')::bigint, (s.post ->> 'shares')::bigint,
            (s.post ->> 'engagement_rate')::double precision, p_context ->> 'run_id'
        from sent as s
        where s.fault is null
        order by s.post ->> 'post_url', s.post ->> 'timestamp' desc
        on conflict (post_url) do update set
            likes = excluded.likes,
            comments = excluded.comments,
            shares = excluded.shares,
            engagement_rate = excluded.engagement_rate
        where (p.likes, p.comments, p.shares, p.engagement_rate)
            is distinct from (excluded.likes, excluded.comments, excluded.shares, excluded.engagement_rate)
        returning p.asset_id, p.posted_at
    )
    select
        u.asset_id, 'success', (select count(*) from kept as k where k.asset_id = u.asset_id)::integer,
        (select max(k.posted_at) from kept as k where k.asset_id = u.asset_id), null::text
    from unnest(p_asset_ids) as u (asset_id);
$func$;

comment on function viral.keep_posts(jsonb, bigint[], text[]) is
    'Ingest function of viral_posts: new posts, what has changed of known ones, and what is no post.';
