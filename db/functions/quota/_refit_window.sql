-- Only an operator changes an open window, never below what is already charged.
create or replace function headgate._refit_window(p_provider text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_provider constant headgate.providers := headgate._provider(p_provider);
begin
    update headgate.quota_windows as w
    set usable = greatest(v_provider.quota - v_provider.quota_buffer, w.reserved + w.spent, 0)
    from headgate._window_at(v_provider, headgate.clock()) as b
    where w.provider_id = v_provider.provider_id
        and w.opened_at = b.opened_at
        and v_provider.quota is not null;
end;
$func$;
