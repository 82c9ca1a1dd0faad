-- A table's columns after the first p_after, without asset_id, as in create table; null if there is no table.

create or replace function headgate._columns_of(
    p_table regclass,
    p_after integer
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum)
    from pg_attribute as a
    where a.attrelid = p_table
        and a.attnum > p_after
        and not a.attisdropped
        and a.attname <> 'asset_id';
$func$;
