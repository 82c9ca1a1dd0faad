-- What waits for its export, of operations with changes_of. An export that falls behind is seen before its log fills
-- the disk: by the settings changes_wait and changes_bytes, or by half of the server's max_slot_wal_keep_size.

create or replace function headgate.waiting_changes()
returns table (
    operation text, changes_of text, changes bigint, oldest_at timestamptz, bytes bigint, is_behind boolean,
    slot text, slot_obstacle text, said text
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
    return query select x.* from headgate._waiting_in_slots(v_wait, v_bytes) as x;
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
        slot_obstacle := (select s.obstacle from headgate._slot_obstacle(operation, changes_of) as s);
        said := format(
            '%s changes of %s wait for their export, the oldest since %s, in %s', changes, changes_of, oldest_at,
            pg_size_pretty(bytes)
        );
        return next;
    end loop;
end;
$func$;

comment on function headgate.waiting_changes() is
    'Changes of tables that wait for their export, and whether that has fallen behind; what v_changes shows.';

-- The server keeps its log from the start of the oldest transaction that was open at the last export.
create or replace function headgate._waiting_in_slots(
    p_wait interval,
    p_bytes bigint
)
returns table (
    operation text, changes_of text, changes bigint, oldest_at timestamptz, bytes bigint, is_behind boolean,
    slot text, slot_obstacle text, said text
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select
        o.name, o.changes_of, null::bigint, c.exported_at, k.bytes,
        c.exported_at < headgate.clock() - p_wait
        or coalesce(k.bytes > least(p_bytes, k.most / 2), false)
        or coalesce(s.wal_status in ('unreserved', 'lost'), false),
        headgate._slot_name(o.name)::text, null::text,
        format(
            'changes of %s wait for their export since %s, and the server keeps %s of its log for slot %s',
            o.changes_of, c.exported_at, coalesce(pg_size_pretty(k.bytes), 'nothing'), headgate._slot_name(o.name)
        )
    from headgate.change_slots as c
    join headgate.operations as o on o.name = c.operation
    left join pg_replication_slots as s on s.slot_name = headgate._slot_name(c.operation)
    cross join lateral (
        select
            pg_wal_lsn_diff(
                case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn
            )::bigint as bytes,
            (select g.setting::bigint * 1048576 from pg_settings as g
                where g.name = 'max_slot_wal_keep_size' and g.setting <> '-1') as most
    ) as k
    order by o.name;
$func$;
