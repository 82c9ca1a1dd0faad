-- The table into which an operation's rows are copied, and their columns.

create or replace function headgate._stage_columns(p_operation headgate.operations)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select jsonb_build_object(
        'table', p_operation.name,
        'columns', jsonb_agg(
            jsonb_build_array(a.attname, format_type(a.atttypid, -1), a.atttypid::bigint) order by a.attnum
        )
    )
    from pg_attribute as a
    where a.attrelid = to_regclass(format('headgate_stage.%I', p_operation.name))
        and a.attnum > 3
        and not a.attisdropped;
$func$;
