-- Whether its own requests, or those of a bulk or batch call that serves it, name the date.

create or replace function headgate._is_dated(p_operation headgate.operations)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.operations as c
        where p_operation.operation_id in (c.operation_id, c.bulk_call_of_operation_id)
            and headgate._names_its_date(c)
    );
$func$;

-- Whether the request depends on the run's date, so that a run for another date makes a different request.
create or replace function headgate._names_its_date(p_operation headgate.operations)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate._template_fields(p_operation) as f (field)
        where f.field in ('run.date', 'run.logical_date')
    );
$func$;
