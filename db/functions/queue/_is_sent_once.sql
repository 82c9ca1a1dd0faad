-- Whether a call of the operation that may have been made is never repeated.
create or replace function headgate._is_sent_once(p_operation_id bigint)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select o.delivery = 'at_most_once' from headgate.operations as o where o.operation_id = p_operation_id;
$func$;
