-- What a runner needs to read an operation's changes: the columns of headgate.read_changes' content, and the position
-- up to which it reads in this transaction, for headgate.complete_jobs. Types that are not PostgreSQL's own are read as
-- text.

create or replace function headgate.open_changes(p_operation text)
returns table (columns text, "position" text)
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
        pg_current_snapshot()::text
    from headgate.operations as o
    join pg_attribute as a on a.attrelid = to_regclass(o.changes_of)
    join pg_type as t on t.oid = a.atttypid
    where o.name = p_operation
        and a.attnum > 0
        and not a.attisdropped
    having count(*) > 0;
$func$;

comment on function headgate.open_changes(text) is
    'The columns that headgate.read_changes returns for an operation, and the position up to which it reads in this '
    'transaction.';
