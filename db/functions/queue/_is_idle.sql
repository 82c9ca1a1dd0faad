-- Is there nothing to ask, to compute or to ingest? Its chunks only have to be handed in.

create or replace function headgate._is_idle(p_operation headgate.operations)
returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_operation.path is null and p_operation.handler is null and p_operation.ingest_function is null;
$func$;
