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
            else headgate._position_in_log(p_operation, p_most)
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

create or replace function headgate._position_in_log(
    p_operation text,
    p_most integer
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_last bigint;
begin
    execute format(
        'select max(t.last) from (select max(c.cdc_id) as last, '
        'sum(count(*)) over (order by max(c.cdc_id)) - count(*) as changes_before from headgate_changes.%I as c '
        'where pg_visible_in_snapshot(c.xid, $1) group by c.xid) as t where t.changes_before < $2', p_operation
    )
    into v_last
    using pg_current_snapshot(), p_most;
    return format('%s %s', pg_current_snapshot(), coalesce(v_last, 0));
end;
$func$;
