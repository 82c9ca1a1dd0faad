create or replace function headgate._step(
    p_execution headgate.process_executions,
    p_step text
)
returns headgate.process_steps
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step headgate.process_steps;
begin
    select * into v_step
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.step = p_step;
    if not found then
        perform headgate._raise(
            'HG003',
            format('unknown step: %s', coalesce(quote_literal(p_step), 'null')),
            headgate._known('the execution''s steps', p_step, array(
                select s.step from headgate.process_steps as s where s.execution_id = p_execution.execution_id
            ))
        );
    end if;

    return v_step;
end;
$func$;
