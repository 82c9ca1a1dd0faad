-- The settings that determine a provider's windows.

create or replace function headgate._calendar_of(p_provider headgate.providers)
returns text
language sql
immutable
as $func$
    select p_provider.quota_period || ' ' || p_provider.quota_zone;
$func$;
