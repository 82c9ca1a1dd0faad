-- Charge a call made outside of any run: its units count as used elsewhere, so the planner sees them at once and the
-- provider's own count replaces them. Raises for a call that a runner would not make.

create or replace function headgate.charge_call(p_operation text)
returns table (provider text, units integer, remaining integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_operation constant headgate.operations := headgate._operation(p_operation);
    v_provider headgate.providers;
    v_window record;
begin
    select * into v_provider from headgate.providers as p where p.provider_id = v_operation.provider_id;
    provider := v_provider.name;
    units := v_operation.units + v_operation.units_per_asset;
    if not (select o.is_flowing from headgate._availability(v_provider, v_now) as o) then
        perform headgate._raise(
            'HG008', format('provider %s is blocked, or its window is about to end', provider),
            'headgate.v_provider_health and headgate.v_quota say until when, and why'
        );
    end if;
    if v_provider.quota is not null and units > 0 then
        perform headgate._open_window(v_provider, v_now);
        select * into v_window from headgate._window_at(v_provider, v_now);
        update headgate.quota_windows as w
        set used_elsewhere = w.used_elsewhere + charge_call.units
        where w.provider_id = v_provider.provider_id
            and w.opened_at = v_window.opened_at
            and w.used_elsewhere + w.reserved + w.spent + charge_call.units <= w.usable
        returning w.usable - w.used_elsewhere - w.reserved - w.spent into remaining;
        if not found then
            perform headgate._raise(
                'HG008',
                format('a call of %s costs %s, and the window of %s has fewer left', v_operation.name, units, provider),
                format('the next window opens at %s; headgate.v_quota shows this one', v_window.closes_at)
            );
        end if;
    end if;
    return next;
end;
$func$;

comment on function headgate.charge_call(text) is
    'Charge a call that no run makes to used_elsewhere, before it is made; raises if the provider is blocked or the '
    'window has too few units left.';
