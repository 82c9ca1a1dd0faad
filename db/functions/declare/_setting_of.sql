create or replace function headgate._setting_of(p_column text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_column
        when 'provider_id' then 'provider'
        when 'follows_operation_id' then 'follows'
        when 'bulk_call_of_operation_id' then 'bulk_call_of'
        else p_column
    end;
$func$;
