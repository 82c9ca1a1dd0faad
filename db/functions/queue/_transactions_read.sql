-- The transactions whose changes a job reads from an operation's log: those that its snapshot sees and whose last
-- change is not after the bound; the position has both. A transaction that changes a row after another one has a later
-- last change, so no row's changes are exported out of order.

create or replace function headgate._transactions_read(
    p_operation text,
    p_position text
)
returns xid8[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_xids xid8[];
begin
    execute format(
        'select array_agg(t.xid) from (select c.xid from headgate_changes.%I as c '
        'where pg_visible_in_snapshot(c.xid, $1) group by c.xid having max(c.cdc_id) <= $2) as t', p_operation
    )
    into v_xids
    using split_part(p_position, ' ', 1)::pg_snapshot, split_part(p_position, ' ', 2)::bigint;
    return v_xids;
end;
$func$;
