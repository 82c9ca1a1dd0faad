-- Stop logging a table's changes for an operation: drop its triggers with what they have logged, its publication and
-- its right to a slot. headgate.keep_slots drops the slot itself, which no rollback could bring back.

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
    if exists (select from pg_publication as p where p.pubname = 'headgate_' || p_operation) then
        execute format('drop publication %I', 'headgate_' || p_operation);
    end if;
    delete from headgate.change_slots as c where c.operation = p_operation;
end;
$func$;
