create or replace function headgate._rename_asset(
    p_asset_id bigint,
    p_code text
)
returns table (renamed integer)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not exists (select from headgate.assets as a where a.asset_id = p_asset_id) then
        perform headgate._raise('HG009', format('unknown asset: %s', p_asset_id), 'headgate.v_assets lists them');
    elsif exists (
        select
        from headgate.assets as a
        join headgate.assets as o using (universe)
        where a.asset_id = p_asset_id
            and o.code = p_code
            and o.asset_id <> a.asset_id
    ) then
        perform headgate._raise(
            'HG008',
            format('the code %s is another asset''s', quote_literal(p_code)),
            'rename that one first; nothing was changed'
        );
    end if;

    update headgate.assets as a
    set code = p_code
    where a.asset_id = p_asset_id
        and a.code is distinct from p_code;
    get diagnostics renamed = row_count;
    return next;
end;
$func$;
