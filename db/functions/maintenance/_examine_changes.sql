-- Operations with changes_of whose table's changes are not logged, or lost with their slot, and rows that were logged
-- on another server, whose transaction numbers are meaningless here (headgate.read_changes).

create or replace function headgate._examine_changes()
returns table (subject text, verdict text, found text, advice text, is_fixable boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        'changes of ' || o.name, 'fail', f.fault || ': changes are not logged',
        case
            when to_regclass(o.changes_of) is null then 'correct the plan''s file'
            else 'headgate doctor --fix logs them from then on'
        end,
        to_regclass(o.changes_of) is not null
    from headgate.operations as o
    cross join headgate._changes_fault(o.name, o.changes_of) as f (fault)
    where o.changes_of is not null
        and not o.is_retired
        and f.fault is not null
        and not exists (select from headgate.change_slots as c where c.operation = o.name)
    union all
    select 'changes of ' || o.name, 'fail', f.fault, f.advice, f.is_lost
    from headgate.operations as o
    cross join lateral headgate._slot_fault(o.name, o.changes_of) as f
    where o.changes_of is not null
        and not o.is_retired
    union all
    select
        'changes of ' || c.operation, 'warn',
        format('its slot %s is yet to be created: what changes until then is not exported',
            headgate._slot_name(c.operation)),
        'headgate migrate creates it, or its next run', true
    from headgate.change_slots as c
    join headgate.operations as o on o.name = c.operation
    where c.position is null
        and not exists (select from headgate._slot_fault(o.name, o.changes_of))
    union all
    select
        'replication slots', 'warn', 'max_slot_wal_keep_size is unlimited: a slot that is not read fills the disk',
        'set it to what the disk has room for, and more than twice the setting changes_bytes', false
    from (select from headgate.change_slots as c limit 1) as c
    where current_setting('max_slot_wal_keep_size') = '-1'
    union all
    select
        'changes of ' || o.name, 'fail', 'its log is of another server, a restored one: what is in it is not exported',
        'headgate doctor --fix makes it ours', true
    from headgate.operations as o
    where o.changes_of is not null
        and headgate._has_strange_changes(o.name)
    union all
    select
        'export of changes ' || c.operation, 'warn', c.said,
        'run its pipeline, or see why its runs fail: headgate.v_execution_steps', false
    from headgate.waiting_changes() as c
    where c.is_behind;
$func$;

-- A transaction number that this server has not reached yet is from another server.
create or replace function headgate._has_strange_changes(p_operation text)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_found boolean := false;
begin
    if to_regclass(format('headgate_changes.%I', p_operation)) is not null then
        execute format(
            'select exists (select from headgate_changes.%I as c where c.xid > $1)', p_operation
        )
        into v_found
        using pg_snapshot_xmax(pg_current_snapshot());
    end if;
    return v_found;
end;
$func$;
