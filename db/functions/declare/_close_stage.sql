-- Drop the table into which an operation's rows were copied, if it has one.

create or replace function headgate._close_stage(p_operation text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if to_regclass(format('headgate_stage.%I', p_operation)) is not null then
        execute format('drop table headgate_stage.%I', p_operation);
    end if;
end;
$func$;
