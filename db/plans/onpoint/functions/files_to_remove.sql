-- The run's temporary files, and files that earlier runs left because they never reached their cleanup.

create or replace function onpoint.files_to_remove(p_context jsonb, p_asset_ids bigint[])
returns table (asset_id bigint, to_remove bigint[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select p_asset_ids[1], array_agg(a.artifact_id order by a.artifact_id)
    from headgate.v_artifacts as a
    where a.store = 'onpoint_files'
        and a.deleted_at is null
        and (
            a.pipeline = p_context ->> 'pipeline' and a.run_id = p_context ->> 'run_id'
            or a.created_at < (p_context ->> 'now')::timestamptz - interval '1 day'
        );
$func$;

comment on function onpoint.files_to_remove(jsonb, bigint[]) is
    'Input function of onpoint_cleanup: a run''s temporary files, and files older than a day.';
