-- All of a run's files, by data set.

create or replace function onpoint.files_to_upload(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, to_fetch bigint[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select s.asset_id, array_agg(a.artifact_id order by a.name)
    from headgate.v_assets as s
    join headgate.v_artifacts as a on a.operation like 'onpoint_' || s.code || '_%'
    where s.asset_id = any (p_asset_ids)
        and a.pipeline = p_context ->> 'pipeline'
        and a.run_id = p_context ->> 'run_id'
        and a.store = 'onpoint_files'
        and a.deleted_at is null
    group by s.asset_id;
$func$;

comment on function onpoint.files_to_upload(jsonb, bigint[]) is
    'Input function of onpoint_upload: a run''s files of each data set.';
