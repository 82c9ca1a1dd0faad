-- Get a table's changes ready for a job that reads them, in a transaction of its own: of an operation with a slot, the
-- slot follows what is exported, or is created. Returns news, or null.

create or replace function headgate.prepare_changes(p_operation text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_slot record;
    v_fault record;
    v_news text;
begin
    if exists (select from headgate.change_slots as c where c.operation = p_operation and c.position is null) then
        select format('slot %s was %s: operation %s exports what changes from now on', k.slot, k.done, p_operation)
        into v_news
        from headgate.keep_slots() as k
        where k.slot = headgate._slot_name(p_operation)
            and k.done = 'created';
    end if;
    select f.* into v_fault
    from headgate.operations as o
    cross join lateral headgate._slot_fault(o.name, o.changes_of) as f
    where o.name = p_operation;
    if found then
        perform headgate._raise(
            'HG008',
            format('operation %s cannot read changes: %s; %s', p_operation, v_fault.fault, v_fault.advice),
            v_fault.advice  -- a job's reason has no hint
        );
    end if;
    select s.slot_name, c.position into v_slot
    from headgate.change_slots as c
    join pg_replication_slots as s on s.slot_name = headgate._slot_name(c.operation)
    where c.operation = p_operation
        and s.confirmed_flush_lsn < c.position;
    if found then
        perform pg_replication_slot_advance(v_slot.slot_name, v_slot.position);
    end if;
    return v_news;
end;
$func$;

comment on function headgate.prepare_changes(text) is
    'Bring the slot of an operation with changes_of to where its changes are exported, or create it; returns news.';
