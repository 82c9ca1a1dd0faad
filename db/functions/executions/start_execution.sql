-- A run starts as one row per execution and step. Starting it again changes nothing and returns is_new false; with
-- other parameters it raises. A run woken by an order (p_is_ordered) that another run has taken ends at once, because
-- nobody asked for a second one. A back-fill (p_is_backfill) takes no order and requires requests that name the date.

create or replace function headgate.start_execution(
    p_pipeline text,
    p_run_id text,
    p_logical_date timestamptz default null,
    p_params jsonb default '{}',
    p_driver text default 'airflow',
    p_is_ordered boolean default false,
    p_deployment text default null,
    p_dag text default null,
    p_is_backfill boolean default false
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
    v_found headgate.process_executions;
    v_order record;
    v_is_idle boolean := false;
begin
    if coalesce(length(p_run_id), 0) not between 1 and 250 then
        perform headgate._raise('HG008', 'run_id must have 1 to 250 characters', 'e.g. manual-2026-01-31');
    elsif p_run_id ~ '[[:cntrl:]]' then  -- it is shown in logs, terminals and subjects of mails
        perform headgate._raise(
            'HG008', format('run_id %s has a control character', to_json(p_run_id)), 'e.g. manual-2026-01-31'
        );
    elsif coalesce(p_driver, '') not in ('airflow', 'headgate') then
        perform headgate._raise('HG008', format('unknown driver: %s', quote_literal(p_driver)), 'airflow or headgate');
    elsif p_is_backfill and p_logical_date is null then
        perform headgate._raise('HG008', 'a back-fill needs p_logical_date', 'give p_logical_date');
    end if;

    perform headgate._lock(format('start %s', v_pipeline.pipeline_id));
    select e.* into v_found
    from headgate.process_executions as e
    where e.pipeline_id = v_pipeline.pipeline_id
        and e.run_id = p_run_id;
    if found then
        perform headgate._check_same_run(v_pipeline, v_found, p_params);
        execution_id := v_found.execution_id;
        status := v_found.status;
        is_new := false;
    else
        if p_is_backfill then
            perform headgate._check_dated(v_pipeline, p_logical_date);
        end if;
        perform headgate._check_startable(v_pipeline);
        if p_driver = 'airflow' and not coalesce(p_is_backfill, false) then
            select * into v_order from headgate._take_order(v_pipeline, p_params, v_now);
            v_is_idle := p_is_ordered
                and v_order.order_id is null
                and v_order.params = headgate._resolve_params(v_pipeline, '{}');
        else
            select null::bigint as order_id, headgate._resolve_params(v_pipeline, p_params) as params into v_order;
        end if;
        insert into headgate.process_executions as e (
            pipeline_id, run_id, driver, deployment, dag, logical_date, is_backfill, params, started_at, deadline_at
        )
        values (
            v_pipeline.pipeline_id, p_run_id, p_driver, p_deployment, p_dag, p_logical_date,
            coalesce(p_is_backfill, false), v_order.params, v_now,
            headgate._deadline_at(p_driver, v_pipeline.pipeline_id, v_now)
        )
        returning e.execution_id, e.status, true into execution_id, status, is_new;
        update headgate.orders as o
        set execution_id = start_execution.execution_id
        where o.order_id = v_order.order_id;
        perform headgate._note_dag(v_pipeline.pipeline_id, p_deployment, p_dag, v_now);
        perform headgate._open_steps(execution_id, v_is_idle, v_now);
        if p_driver = 'headgate' then  -- advancing skips a held lock, but would wait for a new one
            insert into headgate.locks (name)
            values (format('advance %s', v_pipeline.pipeline_id))
            on conflict (name) do nothing;
        end if;
        if v_is_idle then
            perform headgate._close_execution(execution_id, v_now);
            status := 'succeeded';
        end if;
        perform pg_notify('headgate_jobs', '');
    end if;
    return next;
end;
$func$;

comment on function headgate.start_execution(text, text, timestamptz, jsonb, text, boolean, text, text, boolean) is
    'Begin an execution of a pipeline under a run id. Again with the same id: nothing changes (is_new false); with '
    'other parameters: an error. p_is_ordered: an order woke the run, which ends at once if none is left. '
    'p_is_backfill: the run is for a past logical date.';

-- An existing run id means that run if parameters are absent or equal.
create or replace function headgate._check_same_run(
    p_pipeline headgate.pipelines,
    p_execution headgate.process_executions,
    p_params jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_defaults constant jsonb := headgate._resolve_params(p_pipeline, '{}');
    v_params constant jsonb := headgate._resolve_params(p_pipeline, p_params);
begin
    -- A parameter added since then had its default value.
    if v_params not in (v_defaults, v_defaults || p_execution.params) then
        perform headgate._raise(
            'HG021',
            format(
                'run %s of pipeline %s %s, with other parameters: %s', quote_literal(p_execution.run_id),
                p_pipeline.name,
                case
                    when p_execution.finished_at is null then 'is running'
                    else 'has ended as ' || p_execution.status
                end,
                left((
                    select string_agg(format('%s is %s', o.name, coalesce(p_execution.params -> o.name, 'null')), ', ')
                    from (
                        select d.key as name
                        from jsonb_each(v_params) as d
                        where d.value is distinct from (v_defaults || p_execution.params) -> d.key
                        order by d.key
                    ) as o
                ), 300)
            ),
            'choose another run_id for the new run'
        );
    elsif p_execution.finished_at is not null then
        raise notice using
            message = format(
                'run %s of pipeline %s HAS ALREADY ENDED: %s at %s UTC. It is not run again: nothing that succeeded '
                'is done twice', quote_literal(p_execution.run_id), p_pipeline.name, p_execution.status,
                to_char(p_execution.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')
            ),
            hint = 'headgate.retry_failed runs what failed again; a new run needs its own run_id';
    end if;
end;
$func$;

-- The execution keeps a copy of its graph, unaffected by later changes to the pipeline. The step that starts the
-- execution has already happened when its row is written, unless there is nothing to start.
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
        max_failed_share, may_fail, condition, retries, retry_delay, retry_backoff, timeout, max_waves, status,
        started_at, finished_at
    )
    select
        e.execution_id, s.step, s.position, s.kind, s.depends_on, s.trigger_rule, s.function, s.operations,
        s.group_keys, s.max_failed_share, s.may_fail, s.condition,
        case when e.driver = 'headgate' then s.retries else 0 end, s.retry_delay, s.retry_backoff,
        case when e.driver = 'headgate' then s.timeout end, s.max_waves,
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

-- The scheduler's DAG of a pipeline is known once it has started a run.
create or replace function headgate._note_dag(
    p_pipeline_id bigint,
    p_deployment text,
    p_dag text,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    insert into headgate.dags as d (pipeline_id, deployment, dag, is_paused, active_runs, heard_at)
    select p_pipeline_id, coalesce(p_deployment, ''), p_dag, false, 1, p_now
    where p_dag is not null
    on conflict on constraint dags_pkey do nothing;
$func$;

create or replace function headgate._check_startable(p_pipeline headgate.pipelines)
returns void
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._raise(o.code, o.message, o.hint) from headgate._start_obstacle(p_pipeline) as o;
$func$;
