-- The input function of operations with changes_of: changes that are committed and not yet exported, up to the position
-- in p_context, hour by hour, in the order in which they were written. headgate.open_changes returns that position and
-- the columns of their content.

create or replace function headgate.read_changes(
    p_context jsonb,
    p_asset_ids bigint[]
)
returns table (
    asset_id bigint, cdc_hour text, cdc_timestamp timestamptz, operation text, cdc_id bigint, content json
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
begin
    return query execute format(
        'select $1, to_char(c.changed_at at time zone ''UTC'', ''"year="YYYY/"month="MM/"day="DD/"hour="HH24''), '
        'c.changed_at, c.operation, c.cdc_id, c.content from headgate_changes.%I as c '
        'where pg_visible_in_snapshot(c.xid, $2) order by 2, c.cdc_id', p_context ->> 'operation'
    )
    using p_asset_ids[1], (p_context ->> 'position')::pg_snapshot;
end;
$func$;

comment on function headgate.read_changes(jsonb, bigint[]) is
    'Input function of operations with changes_of: changes that are committed and not yet exported.';
