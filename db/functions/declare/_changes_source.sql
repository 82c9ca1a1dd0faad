-- The body of the triggers' function. A change of a row's key is logged as a delete and an insert.

create or replace function headgate._changes_source(
    p_operation text,
    p_table regclass
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        $body$
#variable_conflict use_variable
declare
    v_now constant timestamptz := headgate.clock();
begin
    case tg_op
        when 'INSERT' then
            insert into %1$s (operation, changed_at, content)
            select 'insert', v_now, row_to_json(n.*) from new_rows as n;
        when 'UPDATE' then
            insert into %1$s (operation, changed_at, content)
            select 'delete', v_now, row_to_json(o.*)
            from old_rows as o
            where not exists (select from new_rows as n where (%2$s) = (%3$s));
            insert into %1$s (operation, changed_at, content)
            select
                case when exists (select from old_rows as o where (%2$s) = (%3$s)) then 'update' else 'insert' end,
                v_now, row_to_json(n.*)
            from new_rows as n;
        when 'DELETE' then
            insert into %1$s (operation, changed_at, content)
            select 'delete', v_now, row_to_json(o.*) from old_rows as o;
        else
            insert into %1$s (operation, changed_at, content) values ('truncate', v_now, '{}');
    end case;
    return null;
end;
$body$, format('headgate_changes.%I', p_operation), string_agg(format('n.%I', a.attname), ', ' order by a.attnum),
        string_agg(format('o.%I', a.attname), ', ' order by a.attnum)
    )
    from pg_index as i
    join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    where i.indrelid = p_table
        and i.indisprimary;
$func$;
