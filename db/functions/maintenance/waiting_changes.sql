-- Changes that wait for their export in the logs of operations with changes_of. The settings changes_wait and
-- changes_bytes reveal an export that falls behind before its log fills the disk.

create or replace function headgate.waiting_changes()
returns table (
    operation text, changes_of text, changes bigint, oldest_at timestamptz, bytes bigint, is_behind boolean
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_wait constant interval := (
        select (s.value #>> '{}')::interval from headgate.settings as s where s.name = 'changes_wait'
    );
    v_bytes constant bigint := (
        select (s.value #>> '{}')::bigint from headgate.settings as s where s.name = 'changes_bytes'
    );
begin
    for operation, changes_of in
        select o.name, o.changes_of
        from headgate.operations as o
        where o.changes_of is not null
            and to_regclass(format('headgate_changes.%I', o.name)) is not null
        order by o.name
    loop
        execute format(
            'select count(*), min(c.changed_at), pg_total_relation_size(%L) from headgate_changes.%I as c',
            format('headgate_changes.%I', operation), operation
        )
        into changes, oldest_at, bytes;
        is_behind := coalesce(oldest_at < headgate.clock() - v_wait, false) or bytes > v_bytes;
        return next;
    end loop;
end;
$func$;

comment on function headgate.waiting_changes() is
    'Changes of tables that wait for their export, and whether the export has fallen behind; shown by v_changes.';
