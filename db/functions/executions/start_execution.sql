-- A run begins as a row per execution and step. Starting it again changes nothing and says so. A run that an order woke
-- (p_is_ordered) and that finds none, because another run has taken it, ends at once: nobody asked for a second one.

create or replace function headgate.start_execution(
    p_pipeline text,
    p_run_id text,
    p_logical_date timestamptz default null,
    p_params jsonb default '{}',
    p_driver text default 'airflow',
    p_is_ordered boolean default false,
    p_deployment text default null,
    p_dag text default null
)
returns table (execution_id bigint, status text, is_new boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_column
declare
    v_now constant timestamptz := headgate.clock();
    v_pipeline constant headgate.pipelines := headgate._pipeline(p_pipeline);
    v_order record;
    v_is_idle boolean := false;
begin
    if coalesce(length(p_run_id), 0) not between 1 and 250 then
        perform headgate._raise('HG008', 'a run needs a name of 1 to 250 characters', 'e.g. manual-2026-01-31');
    elsif coalesce(p_driver, '') not in ('airflow', 'headgate') then
        perform headgate._raise('HG008', format('unknown driver: %s', quote_literal(p_driver)), 'airflow or headgate');
    end if;

    perform headgate._lock(format('start %s', v_pipeline.pipeline_id));
    select e.execution_id, e.status, false
    into execution_id, status, is_new
    from headgate.process_executions as e
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.run_id = p_run_id;
    if not found then
        perform headgate._check_startable(v_pipeline);
        if p_driver = 'airflow' then
            select * into v_order from headgate._take_order(v_pipeline, p_params, v_now);
            v_is_idle := p_is_ordered
                and v_order.order_id is null
                and v_order.params = headgate._resolve_params(v_pipeline, '{}');
        else
            select null::bigint as order_id, headgate._resolve_params(v_pipeline, p_params) as params into v_order;
        end if;
        insert into headgate.process_executions as e (
            pipeline_id, run_id, driver, deployment, dag, logical_date, params, started_at
        )
        values (
            v_pipeline.pipeline_id, p_run_id, p_driver, p_deployment, p_dag, p_logical_date, v_order.params, v_now
        )
        returning e.execution_id, e.status, true into execution_id, status, is_new;
        update headgate.orders as o
        set execution_id = start_execution.execution_id
        where o.order_id = v_order.order_id;
        perform headgate._note_dag(v_pipeline.pipeline_id, p_deployment, p_dag, v_now);
        perform headgate._open_steps(execution_id, v_is_idle, v_now);
        if v_is_idle then
            perform headgate._close_execution(execution_id, v_now);
            status := 'succeeded';
        end if;
        perform pg_notify('headgate_jobs', '');
    end if;
    return next;
end;
$func$;

comment on function headgate.start_execution(text, text, timestamptz, jsonb, text, boolean, text, text) is
    'Begin an execution of a pipeline under a run id; again with the same id: nothing new (is_new false). p_is_ordered: '
    'an order woke it, and without one it ends at once.';

-- The execution keeps the graph it starts with, whatever becomes of its pipeline's. The step that starts it has
-- happened by the time there is a row for it, unless there is nothing to start.
create or replace function headgate._open_steps(
    p_execution_id bigint,
    p_is_idle boolean,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.process_steps (
        execution_id, step, position, kind, depends_on, trigger_rule, function, operations, group_keys,
        max_failed_share, may_fail, status, started_at, finished_at
    )
    select
        e.execution_id, s.step, s.position, s.kind, s.depends_on, s.trigger_rule, s.function, s.operations,
        s.group_keys, s.max_failed_share, s.may_fail,
        case when x.has_run then 'succeeded' else 'pending' end,
        case when x.has_run then p_now end,
        case when x.has_run then p_now end
    from headgate.process_executions as e
    join headgate.pipeline_steps as s using (pipeline_id)
    cross join lateral (
        select s.function is not distinct from 'headgate.start_execution' and not p_is_idle as has_run
    ) as x
    where e.execution_id = p_execution_id;
$func$;
