-- Continue an execution that was reopened after its scheduler ended it: failed steps that depend on each other are sent
-- in order, and when nothing more can run, it ends. Chunks planned for a step that has not been sent by then end
-- deferred.

create or replace function headgate._advance_reopened(p_now timestamptz)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_execution headgate.process_executions;
    v_step text;
begin
    for v_execution in
        select e.*
        from headgate.process_executions as e
        where e.driver = 'airflow'
            and e.status in ('running', 'paused')
            and e.reopened_at is not null
            and headgate._is_worked_off(e.execution_id, '{queued,leased,parked}')
        order by e.execution_id
    loop
        continue when not headgate._try_lock(format('runs %s', v_execution.pipeline_id));
        select r.step into v_step
        from headgate._ready_steps(v_execution.execution_id, p_now) as r
        where r.skip_reason is null
            and v_execution.status = 'running'
            and headgate._waits_for_its_turn(v_execution.execution_id, r.step)
        limit 1;
        if v_step is not null then
            perform headgate._send_step(v_execution, v_step, 1, p_now);
            perform headgate._end_reopened(v_execution.execution_id, p_now);
            return true;
        elsif headgate._finish_reopened(v_execution.execution_id, p_now) then
            return true;
        end if;
    end loop;
    return false;
end;
$func$;

-- Whether the step itself was to run again, and was not reopened only because it depends on such a step.
create or replace function headgate._waits_for_its_turn(
    p_execution_id bigint,
    p_step text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate.process_steps as s
        join headgate.chunks as c using (execution_id, step)
        where s.execution_id = p_execution_id
            and s.step = p_step
            and s.reopened_from <> 'skipped'
            and c.state = 'planned'
    );
$func$;

create or replace function headgate._finish_reopened(
    p_execution_id bigint,
    p_now timestamptz
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_chunks constant headgate.chunks[] := headgate._hold_execution(p_execution_id);
begin
    if not headgate._is_worked_off(p_execution_id, '{queued,leased,parked}')
        or not exists (
            select
            from headgate.process_executions as e
            where e.execution_id = p_execution_id
                and e.reopened_at is not null
        )
    then
        return false;
    end if;
    perform headgate._end_held(v_chunks, 'deferred', 'the execution was finalized', p_now);
    perform headgate._end_reopened(p_execution_id, p_now);  -- the last chunk may have ended it
    return true;
end;
$func$;
