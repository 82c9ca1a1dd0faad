-- The value of a template field for one job; null if it has none.

create or replace function headgate._field(
    p_field text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
stable
as $func$
    select case
        when p_field = 'asset.code' then p_asset.code
        when p_field = 'asset.group_key' then p_asset.group_key
        when p_field = 'asset.asset_id' then p_asset.asset_id::pg_catalog.text
        when p_field = 'asset.calendar' then p_asset.calendar
        when p_field = 'chunk.session' then p_params ->> '?session'
        when p_field = 'chunk.codes' then p_params ->> '?codes'
        when p_field = 'state.watermark' then headgate._request_time(p_state.watermark)
        when p_field = 'state.since' then headgate._request_time(headgate._since(p_asset, p_state))
        when p_field = 'state.succeeded_at' then headgate._request_time(p_state.succeeded_at)
        when p_field = 'state.cursor' then p_state.cursor
        when p_field = 'state.etag' then p_state.etag
        when p_field = 'state.last_modified' then p_state.last_modified
        when p_field like 'asset.%' then p_asset.attributes ->> split_part(p_field, '.', 2)
        when p_field like 'param.%' then p_params ->> split_part(p_field, '.', 2)
        when p_field = 'run.now' then p_params ->> '?now'
        when p_field like 'run.%' then p_params -> '?run' ->> split_part(p_field, '.', 2)
        when p_field = 'job.key' then headgate._job_key(p_asset, p_state, p_params)
        when p_field like 'steps.%' then p_params -> '?steps' #>> (string_to_array(p_field, '.'))[2 :]
        when p_field like 'page.%'
            then p_params -> '?pages' -> p_asset.asset_id::pg_catalog.text ->> split_part(p_field, '.', 2)
    end;
$func$;

-- The job's key for the outside: the same in every delivery and retry of its round, so that a provider can ignore
-- repeats. A bulk call is one job of its group. Each page has its own.
create or replace function headgate._job_key(
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select md5((jsonb_build_array(
        p_params -> '?run', p_params -> '?round', p_state.operation_id,
        case when p_params ? '?codes' then p_asset.group_key else p_asset.asset_id::text end,
        p_params -> '?session', p_params -> '?codes'
    ) || coalesce(p_params -> '?pages' -> p_asset.asset_id::text -> 'number', '[]'))::text)::uuid::text;
$func$;
