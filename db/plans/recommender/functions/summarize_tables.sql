-- The source's tables and their numbers of rows: {"total_records": 1397, "table_summary": {"users": 1247, ...}}.

create or replace function recommender.summarize_tables(p_pipeline text, p_run_id text)
returns jsonb
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'total_tables', count(*),
        'total_records', coalesce(sum(c.rows), 0),
        'table_summary', coalesce(jsonb_object_agg(a.code, c.rows), '{}')
    )
    from recommender.table_counts as c
    join headgate.v_assets as a on a.asset_id = c.asset_id and a.is_active;
$func$;

comment on function recommender.summarize_tables(text, text) is 'The source''s tables, as last counted.';
