-- Why changes of a table do not reach an operation's log; null if they do.

create or replace function headgate._changes_fault(
    p_operation text,
    p_table text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when to_regclass(p_table) is null then format('there is no table %s', p_table)
        when to_regclass(format('headgate_changes.%I', p_operation)) is null then 'its log is missing'
        when count(*) filter (where t.tgenabled = 'A') < 4 then format('%s has not all of its triggers', p_table)
        when bool_or(p.prosrc <> headgate._changes_source(p_operation, to_regclass(p_table)))
            then format('the triggers of %s are for another key', p_table)
    end
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    where t.tgrelid = to_regclass(p_table)
        and p.proname = '_log_' || p_operation;
$func$;
