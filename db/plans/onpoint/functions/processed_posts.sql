-- The cleaned posts of a run: one per number, typed, and null for empty values.

create or replace function onpoint.processed_posts(p_run_id text)
returns setof onpoint.posts
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct on (r.id) r.id, r.user_id, nullif(btrim(r.title), ''), nullif(btrim(r.body), ''), d.crawled_at
    from onpoint.raw_documents as d
    cross join lateral rows from (
        jsonb_to_recordset(d.document) as (id bigint, "userId" bigint, title text, body text)
    ) with ordinality as r (id, user_id, title, body, place)
    where d.run_id = p_run_id
        and d.name = 'jsonplaceholder_posts'
        and r.id is not null
    order by r.id, r.place desc;
$func$;

comment on function onpoint.processed_posts(text) is 'A run''s posts, cleaned: the last record of each number.';
