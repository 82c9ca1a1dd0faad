create or replace function headgate._set_asset_active(
    p_asset_id bigint,
    p_is_active boolean
)
returns table (changed integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not exists (select from headgate.assets as a where a.asset_id = p_asset_id) then
        perform headgate._raise('HG009', format('unknown asset: %s', p_asset_id), 'headgate.v_assets lists them');
    end if;

    update headgate.assets as a
    set is_active = p_is_active
    where a.asset_id = p_asset_id
        and a.is_active is distinct from p_is_active;
    get diagnostics changed = row_count;
    perform headgate._record_action(
        'set_asset_active', jsonb_build_object('asset_id', p_asset_id, 'is_active', p_is_active),
        jsonb_build_object('changed', changed)
    );
    return next;
end;
$func$;
