-- Create the slots of operations that read changes from the server's log, and drop those that no operation reads. In a
-- transaction of its own that has written nothing before; what changes until then is not exported. A new slot waits
-- for all transactions that write at the time.

create or replace function headgate.keep_slots()
returns table (slot text, done text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '30s'
as $func$
declare
    v_operation text;
    v_position pg_lsn;
    v_positions jsonb := '{}';
begin
    lock table headgate.change_slots in share update exclusive mode;  -- a row's lock would count as a write
    for slot in
        select s.slot_name
        from pg_replication_slots as s
        where s.database = current_database()
            and s.slot_name like headgate._slot_name('%')
            and not s.active
            and not exists (
                select
                from headgate.change_slots as c
                where headgate._slot_name(c.operation) = s.slot_name
                    and c.position is not null
            )
    loop
        perform pg_drop_replication_slot(slot);
        done := 'dropped';
        return next;
    end loop;
    for v_operation, slot in
        select c.operation, headgate._slot_name(c.operation)
        from headgate.change_slots as c
        join headgate.operations as o on o.name = c.operation
        where c.position is null
            and not exists (select from headgate._slot_fault(o.name, o.changes_of))
        order by c.operation
    loop
        select s.lsn into v_position from pg_create_logical_replication_slot(slot, 'pgoutput') as s;
        v_positions := v_positions || jsonb_build_object(v_operation, v_position);
        done := 'created';
        return next;
    end loop;
    update headgate.change_slots as c
    set position = (v_positions ->> c.operation)::pg_lsn,
        exported_at = headgate.clock()
    where v_positions ? c.operation;
end;
$func$;

comment on function headgate.keep_slots() is
    'Create the missing slots of operations that read changes from the server''s log, and drop those that none reads. '
    'Only for the owner, in a transaction of its own.';
