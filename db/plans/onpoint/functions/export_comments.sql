-- The comments of a run as exported to files: compact number types, and sorted, so that equal rows give equal files.

create or replace function onpoint.export_comments(p_context jsonb, p_asset_ids bigint[])
returns table (
    asset_id bigint, id integer, post_id integer, name text, email text, body text, etl_processed_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        p_asset_ids[1], r.id::integer, r.post_id::integer, r.name, r.email, r.body, r.etl_processed_at
    from onpoint.processed_comments(p_context ->> 'run_id') as r
    order by r.id;
$func$;

comment on function onpoint.export_comments(jsonb, bigint[]) is 'Input function of the exports of a run''s comments.';
