-- The replication slot of an operation. Slots belong to the whole server, so the database is in its name; a restored
-- database has another one.

create or replace function headgate._slot_name(p_operation text)
returns name
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format('headgate_%s_%s', d.oid, p_operation) from pg_database as d where d.datname = current_database();
$func$;
