-- All changes of units go through this function: one row lock, the last one of a transaction. Returns false, and
-- changes nothing, if the window has too few units.

create or replace function headgate._move_units(
    p_provider_id bigint,
    p_opened_at timestamptz,
    p_reserve integer,
    p_spend integer
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_opened_at is null or (p_reserve = 0 and p_spend = 0) then
        return true;
    end if;

    update headgate.quota_windows as w
    set reserved = w.reserved + p_reserve,
        spent = w.spent + p_spend
    where w.provider_id = p_provider_id
        and w.opened_at = p_opened_at
        and (
            p_reserve + p_spend <= 0
            or w.used_elsewhere + w.reserved + w.spent + p_reserve + p_spend <= w.usable
        );
    return found;
end;
$func$;
