-- Have an operation read a table's changes from the server's log, from a slot that headgate.keep_slots creates when
-- this has committed: a slot cannot be created in a transaction that writes. Its publication must be older than it.

create or replace function headgate._open_slot(
    p_operation text,
    p_table text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    if not headgate._is_published(p_operation, p_table) then
        perform headgate._close_changes(p_operation);
        execute format('create publication %I for table only %s', 'headgate_' || p_operation, p_table);
        execute format('alter publication %I owner to headgate_owner', 'headgate_' || p_operation);
    end if;
    insert into headgate.change_slots (operation, exported_at) values (p_operation, headgate.clock())
    on conflict (operation) do update
    set position = null,
        exported_at = excluded.exported_at;
end;
$func$;
