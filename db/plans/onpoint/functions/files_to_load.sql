-- The run's Parquet files of the data set of an operation onpoint_load_<data set>.

create or replace function onpoint.files_to_load(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, to_fetch bigint[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p_asset_ids[1], array_agg(a.artifact_id order by a.name)
    from headgate.v_artifacts as a
    where a.pipeline = p_context ->> 'pipeline'
        and a.run_id = p_context ->> 'run_id'
        and a.operation = replace(p_context ->> 'operation', '_load_', '_') || '_tables'
        and a.store = 'onpoint_files'
        and a.name like '%.parquet'
        and a.deleted_at is null;
$func$;

comment on function onpoint.files_to_load(jsonb, bigint[]) is
    'Input function of the loads: a run''s Parquet files of one data set.';
