-- The plan being declared; raises outside begin_plan and end_plan.
create or replace function headgate._open_plan()
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_plan constant text := nullif(current_setting('headgate.plan', true), '');
begin
    if v_plan is null then
        perform headgate._raise(
            'HG020', 'no plan has begun in this transaction',
            'begin with select headgate.begin_plan(''<plan>''); psql -1 -f plan.sql applies a file in one transaction'
        );
    end if;
    return v_plan;
end;
$func$;
