-- Whether an operation's ingest function takes answers; those of bulk calls, staged rows and handlers do not.

create or replace function headgate._takes_answers(p_operation headgate.operations)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_operation.ingest_function is null
            or num_nonnulls(p_operation.handler, p_operation.stage, p_operation.bulk_call_of_operation_id) > 0
            then false
        else to_regprocedure(format(
            '%s(jsonb, bigint[], headgate.answer[])', headgate._checked_name(p_operation.ingest_function)
        )) is not null
    end;
$func$;
