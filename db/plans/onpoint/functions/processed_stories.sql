-- The cleaned stories of a run: typed, and null for empty values.

create or replace function onpoint.processed_stories(p_run_id text)
returns setof onpoint.stories
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        s.story_id, nullif(btrim(i.title), ''), nullif(i.url, ''), i.by, i.score, i.descendants, s.rank,
        to_timestamp(i.time), s.crawled_at
    from onpoint.raw_stories as s
    cross join lateral jsonb_to_record(s.item) as i (
        title text, url text, by text, score integer, descendants integer, time bigint
    )
    where s.run_id = p_run_id;
$func$;

comment on function onpoint.processed_stories(text) is 'A run''s stories, cleaned.';
