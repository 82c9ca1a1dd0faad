-- Stages that do not have their table's columns. One whose table is gone cannot be made again: there the plan is wrong.

create or replace function headgate._unfit_stages()
returns table (operation text, stage text, ingest_function text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select o.name, o.stage, o.ingest_function
    from headgate.operations as o
    where o.stage is not null
        and not o.is_retired
        and headgate._unfit_for_stage(to_regclass(o.stage)) is null
        and to_regclass(o.stage) is not null
        and headgate._columns_of(to_regclass(o.stage), 0)
            is distinct from headgate._columns_of(to_regclass(format('headgate_stage.%I', o.name)), 3);
$func$;
