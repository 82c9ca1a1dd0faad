-- Create the function that runs a declared query: it is the plan's, and anybody may call it. It is compiled at once, so
-- that a mistake in the query is reported with the plan's other mistakes.

create or replace function headgate._write_query(
    p_function text,
    p_columns text,
    p_source text,
    p_comment text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_name constant text := headgate._checked_name(p_function);
    v_bodies constant text := current_setting('check_function_bodies');
    v_owner text;
begin
    if exists (select from pg_proc as p where p.oid = to_regprocedure(v_name || '()') and p.prosrc = p_source) then
        return;
    end if;
    select pg_get_userbyid(n.nspowner) into v_owner
    from pg_namespace as n
    where n.nspname = split_part(p_function, '.', 1);
    perform set_config('check_function_bodies', 'on', true);
    execute format(
        'create or replace function %s() returns table (%s) '
        'language sql stable security definer set search_path = pg_catalog, pg_temp set timezone = ''UTC'' as %L',
        v_name, p_columns, p_source
    );
    perform set_config('check_function_bodies', v_bodies, true);
    execute format('alter function %s() owner to %I', v_name, v_owner);
    execute format('revoke all on function %s() from public', v_name);
    execute format('grant execute on function %s() to headgate_nobody, headgate_planner, headgate_reader', v_name);
    execute format('comment on function %s() is %L', v_name, p_comment);
end;
$func$;
