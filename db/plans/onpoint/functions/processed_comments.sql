-- The cleaned comments of a run: one per number, typed, and null for empty values.

create or replace function onpoint.processed_comments(p_run_id text)
returns setof onpoint.comments
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select distinct on (r.id)
        r.id, r.post_id, nullif(btrim(r.name), ''), nullif(lower(btrim(r.email)), ''), nullif(btrim(r.body), ''),
        d.crawled_at
    from onpoint.raw_documents as d
    cross join lateral rows from (
        jsonb_to_recordset(d.document) as (id bigint, "postId" bigint, name text, email text, body text)
    ) with ordinality as r (id, post_id, name, email, body, place)
    where d.run_id = p_run_id
        and d.name = 'jsonplaceholder_comments'
        and r.id is not null
    order by r.id, r.place desc;
$func$;

comment on function onpoint.processed_comments(text) is 'A run''s comments, cleaned: the last record of each number.';
