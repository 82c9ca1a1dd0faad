-- Drop the triggers that log a table's changes for an operation, and what they have logged.

create or replace function headgate._close_changes(p_operation text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure
        from pg_proc as p
        where p.proname = '_log_' || p_operation
            and p.prorettype = 'trigger'::regtype
    loop
        execute format('drop function %s cascade', v_function);
    end loop;
    if to_regclass(format('headgate_changes.%I', p_operation)) is not null then
        execute format('drop table headgate_changes.%I', p_operation);
    end if;
end;
$func$;
