-- A step and all steps that depend on it run again, even those that succeeded; each in its turn, as a new round.

create or replace function headgate.rerun_step(
    p_pipeline text,
    p_run_id text,
    p_step text
)
returns table (reopened integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_execution headgate.process_executions;
    v_steps text[];
begin
    v_execution := headgate._stopped_execution(p_pipeline, p_run_id);
    perform headgate._step(v_execution, p_step);
    perform headgate._check_unpaused(p) from headgate.pipelines as p where p.pipeline_id = v_execution.pipeline_id;
    v_steps := p_step || array(
        select b.step from headgate._behind(v_execution.execution_id, array[p_step]) as b
    );
    perform headgate._check_rerun(v_execution, v_steps);

    update headgate.process_steps as s
    set status = 'pending',
        is_rerun = true,
        round = s.round + case when s.kind = 'function' then 1 else 0 end,
        retried = 0,
        skip_reason = null,
        is_marked = false,
        is_left_out = false,
        output = null,
        started_at = null,
        finished_at = null
    where s.execution_id = v_execution.execution_id
        and s.step = any (v_steps)
        and s.status not in ('pending', 'running')
        and (s.step = p_step or not s.is_marked);
    get diagnostics reopened = row_count;
    update headgate.process_executions as e
    set status = 'running', finished_at = null, reopened_at = v_now,
        deadline_at = headgate._deadline_at(e.driver, e.pipeline_id, v_now)
    where e.execution_id = v_execution.execution_id
        and e.finished_at is not null
        and reopened > 0;
    perform pg_notify('headgate_jobs', '');
    perform headgate._record_action(
        'rerun_step', jsonb_build_object('pipeline', p_pipeline, 'run_id', p_run_id, 'step', p_step),
        jsonb_build_object('reopened', reopened)
    );
    return next;
end;
$func$;

comment on function headgate.rerun_step(text, text, text) is
    'Run a step and all that depend on it again, even if they succeeded, each in its turn as a new round; steps that '
    'an operator decided stay. Returns how many steps. Only for driver headgate: in Airflow, clear the tasks.';

-- Work in flight is not doubled: it ends, or is skipped or cancelled, first.
create or replace function headgate._check_rerun(
    p_execution headgate.process_executions,
    p_steps text[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_step text;
begin
    if p_execution.driver <> 'headgate' then
        perform headgate._raise(
            'HG008', format('run %s is Airflow''s', quote_literal(p_execution.run_id)),
            'clear its tasks there, those behind them too; headgate.retry_failed runs what failed'
        );
    end if;
    perform headgate._hold_execution(p_execution.execution_id);
    select s.step into v_step
    from headgate.process_steps as s
    where s.execution_id = p_execution.execution_id
        and s.step = any (p_steps)
        and (
            s.status = 'running'
            or exists (
                select from headgate.chunks as c where c.execution_id = s.execution_id and c.step = s.step
            )
        )
    order by s.position
    limit 1;
    if found then
        perform headgate._raise(
            'HG008', format('step %s of run %s is at work', v_step, quote_literal(p_execution.run_id)),
            'wait until it has ended, or cancel the run: headgate.cancel_execution'
        );
    end if;
end;
$func$;
