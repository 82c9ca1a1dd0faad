-- What a runner needs to read an operation's changes: the columns of headgate.read_changes' content, and the position
-- up to which it reads in this transaction, for headgate.complete_jobs. Types that are not PostgreSQL's own are read as
-- text. With a key they are read by headgate.read_slot. From a log a job reads whole transactions until it has p_most
-- changes.

create or replace function headgate.open_changes(
    p_operation text,
    p_most integer
)
returns table (columns text, "position" text, key text[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
    select
        string_agg(
            format(
                '%I %s', a.attname, case
                    when t.typtype = 'b' and t.typnamespace = 'pg_catalog'::regnamespace
                        then format_type(a.atttypid, a.atttypmod)
                    else 'text'
                end
            ), ', ' order by a.attnum
        ),
        case
            when count(c.operation) > 0 then pg_current_wal_flush_lsn()::text
            else headgate._position_in_log(p_operation, p_most)::text
        end,
        array_agg(a.attname::text) filter (where c.operation is not null and a.attnum = any (i.indkey))
    from headgate.operations as o
    join pg_attribute as a on a.attrelid = to_regclass(o.changes_of)
    join pg_type as t on t.oid = a.atttypid
    left join pg_index as i on i.indrelid = a.attrelid and i.indisprimary
    left join headgate.change_slots as c on c.operation = o.name
    where o.name = p_operation
        and a.attnum > 0
        and not a.attisdropped
    having count(*) > 0;
$func$;

comment on function headgate.open_changes(text, integer) is
    'The columns of an operation''s changes, the position up to which this transaction reads them, and, if by '
    'headgate.read_slot, the names of the key''s columns.';

-- The transactions that a job reads from a log, as a snapshot: the committed ones whose last changes come first, until
-- they have p_most changes. A transaction that changes a row after another one has a later last change, so no row's
-- changes are exported out of order.
create or replace function headgate._position_in_log(
    p_operation text,
    p_most integer
)
returns pg_snapshot
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant pg_snapshot := pg_current_snapshot();
    v_end bigint;
    v_left bigint[];
begin
    execute format(
        'select max(t.last) + 1, array_agg(t.xid) filter (where not t.is_read and t.xid < t.last) '
        'from (select u.*, max(u.xid) filter (where u.is_read) over () as last '
        'from (select c.xid::text::bigint as xid, '
        'sum(count(*)) over (order by max(c.cdc_id)) - count(*) < $2 as is_read from headgate_changes.%I as c '
        'where pg_visible_in_snapshot(c.xid, $1) group by c.xid) as u) as t', p_operation
    )
    into v_end, v_left
    using v_now, p_most;
    if v_end is null then
        return v_now;
    end if;
    return (
        select format('%s:%s:%s', least(min(x.xid), v_end), v_end, string_agg(x.xid::text, ',' order by x.xid))
        from (
            select i.xid::text::bigint as xid from pg_snapshot_xip(v_now) as i (xid)
            union all
            select l.xid from unnest(v_left) as l (xid)
        ) as x
        where x.xid < v_end
    );
end;
$func$;
