create or replace function headgate._check_quota_value(p_quota integer)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_quota < 0 then
        perform headgate._raise(
            'HG008', format('the quota cannot be negative: %s', p_quota), 'usable units per window, from 0'
        );
    end if;
end;
$func$;
