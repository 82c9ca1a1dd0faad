-- Create the partitions of this month and the next ones, if missing.

create or replace function headgate._open_months(p_months integer)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_month date;
    v_name text;
begin
    for v_month in
        select (date_trunc('month', headgate.clock() at time zone 'UTC') + make_interval(months => n))::date
        from generate_series(0, p_months) as n
    loop
        v_name := 'asset_processing_details_' || to_char(v_month, 'YYYYMM');
        continue when to_regclass('headgate.' || v_name) is not null;
        begin
            execute format(
                'create table headgate.%I partition of headgate.asset_processing_details for values from (%L) to (%L)',
                v_name,
                v_month::timestamp at time zone 'UTC',
                (v_month + interval '1 month') at time zone 'UTC'
            );
        exception
            when check_violation then null;  -- the default partition already holds rows of that month, which stay there
            -- another session has just created it
            when duplicate_table or duplicate_object or unique_violation then null;
        end;
    end loop;
end;
$func$;
