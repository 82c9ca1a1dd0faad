-- A table's columns that rows cannot be staged for: types that are not PostgreSQL's own, and the token's names.

create or replace function headgate._unfit_for_stage(p_table regclass)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(a.attname, ', ' order by a.attnum)
    from pg_attribute as a
    join pg_type as t on t.oid = a.atttypid
    where a.attrelid = p_table
        and a.attnum > 0
        and not a.attisdropped
        and (
            t.typtype <> 'b'
            or t.typnamespace <> 'pg_catalog'::regnamespace
            or a.attname in ('chunk_id', 'lease_no')
        );
$func$;
