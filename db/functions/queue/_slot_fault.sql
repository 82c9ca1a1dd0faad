-- Why an operation cannot read changes from its slot, and what to do; no row if it can, or needs none. is_lost: changes
-- are lost, and only a new slot goes on.

create or replace function headgate._slot_fault(
    p_operation text,
    p_table text
)
returns table (fault text, advice text, is_lost boolean)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select x.fault, x.advice, x.is_lost
    from (
        select 1 as nth, o.obstacle as fault, o.advice, false as is_lost
        from headgate._slot_obstacle(p_operation, p_table) as o
        where exists (select from headgate.change_slots as c where c.operation = p_operation)
        union all
        select
            2, case
                when not headgate._is_published(p_operation, p_table) then
                    format('the publication headgate_%s is gone', p_operation)
                when s.slot_name is null then format('its slot %s is gone', headgate._slot_name(p_operation))
                when s.wal_status = 'lost' then
                    format('its slot %s was more than max_slot_wal_keep_size behind', s.slot_name)
                else format('its slot %s was read by somebody else, or a backup restored', s.slot_name)
            end || format(': changes since %s are lost', c.exported_at),
            'headgate doctor --fix exports changes from then on; those that are lost are in the table only', true
        from headgate.change_slots as c
        left join pg_replication_slots as s on s.slot_name = headgate._slot_name(c.operation)
        where c.operation = p_operation
            and (
                not headgate._is_published(p_operation, p_table)
                or c.position is not null and (
                    s.slot_name is null or s.wal_status = 'lost' or s.confirmed_flush_lsn > c.position
                )
            )
    ) as x
    order by x.nth
    limit 1;
$func$;
