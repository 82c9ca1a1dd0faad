-- The posts of a run as exported to files: compact number types, and sorted, so that equal rows give equal files.

create or replace function onpoint.export_posts(p_context jsonb, p_asset_ids bigint[])
returns table (
    asset_id bigint, id integer, user_id integer, title text, body text, etl_processed_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_asset_ids[1], r.id::integer, r.user_id::integer, r.title, r.body, r.etl_processed_at
    from onpoint.processed_posts(p_context ->> 'run_id') as r
    order by r.id;
$func$;

comment on function onpoint.export_posts(jsonb, bigint[]) is 'Input function of the exports of a run''s posts.';
