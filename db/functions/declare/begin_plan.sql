-- A plan's file starts here and ends with headgate.end_plan, in one transaction. The current plan is kept in a
-- transaction-local setting, so a partial declaration cannot outlive the transaction.

create or replace function headgate.begin_plan(plan text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_open constant text := nullif(current_setting('headgate.plan', true), '');
    v_folder constant text := nullif(current_setting('headgate.folder', true), '');
begin
    if begin_plan.plan !~ '^[a-z][a-z0-9_]*$' then
        perform headgate._raise(
            'HG020', format('invalid plan name: %s', quote_literal(begin_plan.plan)),
            'use the name of its folder: lower-case letters, digits and _'
        );
    elsif v_folder <> begin_plan.plan then
        perform headgate._raise(
            'HG020', format('begin_plan(%s) is in the file of plan %s', quote_literal(begin_plan.plan), v_folder),
            format('a plan has the name of its folder: select headgate.begin_plan(%L);', v_folder)
        );
    elsif v_open is not null then
        perform headgate._raise(
            'HG020', format('begin_plan(%s) was called before end_plan() of plan %s', begin_plan.plan, v_open),
            'a plan''s file ends with select headgate.end_plan();'
        );
    end if;
    perform headgate._lock('declarations');
    perform set_config('headgate.plan', begin_plan.plan, true);
    delete from headgate.declaration_mistakes as m where m.plan = begin_plan.plan;
    update headgate.declarations as d
    set is_declared = false
    where d.plan = begin_plan.plan
        and d.is_declared;
end;
$func$;

comment on function headgate.begin_plan(text) is
    'Begin to declare a plan; objects not declared before headgate.end_plan are retired. A dry run ends with rollback.';
