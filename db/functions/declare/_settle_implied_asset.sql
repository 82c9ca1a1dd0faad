-- An operation's implied asset exists while the operation is declared without a universe; an asset with history stays,
-- inactive.

create or replace function headgate._settle_implied_asset(p_operation text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_universe constant text := headgate._implied_universe(p_operation);
begin
    if exists (
        select
        from headgate.operations as o
        where o.name = p_operation
            and o.universe = v_universe
            and not o.is_retired
    ) then
        insert into headgate.assets as a (universe, code, group_key)
        values (v_universe, p_operation, p_operation)
        on conflict (universe, code) do update
        set is_active = true
        where not a.is_active;
        return;
    end if;

    delete from headgate.assets as a
    where a.universe = v_universe
        and not exists (select from headgate.asset_processing_state as s where s.asset_id = a.asset_id)
        and not exists (select from headgate.asset_processing_details as d where d.asset_id = a.asset_id);
    update headgate.assets as a set is_active = false where a.universe = v_universe and a.is_active;
end;
$func$;
