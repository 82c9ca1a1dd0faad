-- Ended steps run again, and so do steps behind them that were skipped because of them. An ended execution continues.

-- Plan what these steps have to run again within today's budget: returns the jobs, the steps that run again, and the
-- number of steps reopened behind them. A step with nothing to do, or nothing affordable, is unchanged.
create or replace function headgate._open_rounds(
    p_execution headgate.process_executions,
    p_steps text[],
    p_is_retry boolean default false,
    out planned integer,
    out opened text[],
    out reopened integer
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step headgate.process_steps;
    v_jobs integer;
begin
    planned := 0;
    opened := '{}';
    reopened := 0;
    perform headgate._check_unpaused(p) from headgate.pipelines as p where p.pipeline_id = p_execution.pipeline_id;
    perform headgate._hold_failed(p_execution.execution_id, p_steps);
    for v_step in
        select s.*
        from headgate.process_steps as s
        where s.execution_id = p_execution.execution_id
            and s.step = any (p_steps)
        order by s.position
    loop
        continue when v_step.status = 'skipped' and v_step.step in (
            select b.step from headgate._behind(p_execution.execution_id, opened) as b
        );
        v_jobs := headgate._open_round(p_execution, v_step);
        if v_jobs is not null then
            planned := planned + v_jobs;
            opened := opened || v_step.step;
        end if;
    end loop;
    if opened <> '{}' and not p_is_retry then  -- behind a retry nothing has been decided
        reopened := headgate._reopen_behind(p_execution, opened);
        update headgate.process_executions as e
        set status = 'running', finished_at = null, reopened_at = headgate.clock(),
            deadline_at = headgate._deadline_at(e.driver, e.pipeline_id, headgate.clock())
        where e.execution_id = p_execution.execution_id
            and e.finished_at is not null;
    end if;
end;
$func$;

-- Lock everything that rounds of these steps will touch, in the order used by completions.
create or replace function headgate._hold_failed(
    p_execution_id bigint,
    p_steps text[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    perform
    from headgate.asset_processing_state as s
    join (
        select distinct f.operation_id, f.asset_id
        from unnest(p_steps) as t (step)
        cross join lateral headgate._failed_pairs(p_execution_id, t.step) as f
    ) as f using (operation_id, asset_id)
    order by s.operation_id, s.asset_id
    for update of s;
    perform from headgate.process_executions as e where e.execution_id = p_execution_id for update;
    perform from headgate.process_steps as s where s.execution_id = p_execution_id order by s.step for update;
end;
$func$;

-- Reopen an ended step: returns the jobs planned for its new round, or null if it is unchanged. Jobs that were never
-- planned are planned when the step is sent.
create or replace function headgate._open_round(
    p_execution headgate.process_executions,
    p_step headgate.process_steps
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_is_planned constant boolean := p_step.kind = 'fan_out' and p_step.planned_at is not null;
    v_planned integer := 0;
begin
    if v_is_planned and exists (select from headgate._failed_pairs(p_execution.execution_id, p_step.step)) then
        update headgate.process_steps as s
        set round = s.round + 1
        where s.execution_id = p_step.execution_id
            and s.step = p_step.step;
        v_planned := headgate._write_plan(p_execution, p_step.step, true);
        if v_planned = 0 then
            return null;
        end if;
    elsif v_is_planned and p_step.status <> 'cancelled' and not p_step.is_rerun then
        return null;
    end if;

    update headgate.process_steps as s
    set status = 'pending',
        round = s.round + case when s.kind = 'function' then 1 else 0 end,
        skip_reason = null,
        is_marked = false,
        is_left_out = false,
        retried = case when p_step.retry_at is null then 0 else s.retried end,
        retry_at = null,
        is_rerun = false,
        planned_at = case when not p_step.is_rerun or v_planned > 0 then s.planned_at end,
        output = null,
        finished_at = null,
        wave = 1,
        planned_before = 0,
        reopened_from = case when p_execution.driver = 'airflow' then s.status end
    where s.execution_id = p_step.execution_id
        and s.step = p_step.step;
    return v_planned;
end;
$func$;
