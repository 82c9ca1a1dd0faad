-- The stories of a run as exported to files: compact number types, and sorted, so that equal rows give equal files.

create or replace function onpoint.export_stories(p_context jsonb, p_asset_ids bigint[])
returns table (
    asset_id bigint, id integer, title text, url text, author text, score integer, comments_count integer, rank
    smallint, published_at timestamptz, etl_processed_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_asset_ids[1], r.id::integer, r.title, r.url, r.author, r.score, r.comments_count, r.rank::smallint,
        r.published_at, r.etl_processed_at
    from onpoint.processed_stories(p_context ->> 'run_id') as r
    order by r.id;
$func$;

comment on function onpoint.export_stories(jsonb, bigint[]) is 'Input function of the exports of a run''s stories.';
