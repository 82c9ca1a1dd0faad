-- Changes that were logged on another server, and came with a backup, get the number of this transaction: the number of
-- the transaction that wrote them is meaningless here. So is a place in that server's log: its slot stayed there.

create or replace function headgate.own_changes()
returns table (changes bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_log regclass;
    v_count bigint;
begin
    changes := 0;
    for v_log in
        select c.oid::regclass
        from pg_class as c
        where c.relnamespace = 'headgate_changes'::regnamespace
            and c.relkind = 'r'
    loop
        execute format('update %s as c set xid = default where c.xid > pg_current_xact_id()', v_log);
        get diagnostics v_count = row_count;
        changes := changes + v_count;
    end loop;
    update headgate.change_slots as c
    set position = null
    where not exists (select from pg_replication_slots as s where s.slot_name = headgate._slot_name(c.operation));
    return next;
end;
$func$;

comment on function headgate.own_changes() is
    'Adopt changes that were logged on another server, so that they are exported; returns how many. Only for the '
    'owner.';
