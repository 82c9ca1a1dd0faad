-- Schedulers report the state of their DAGs every few seconds. Only changes count: pausing a DAG pauses its pipeline
-- unless another DAG of the pipeline is active; unpausing the DAG resumes a pipeline it had paused. Pipelines paused or
-- resumed here in between stay as they are.

create or replace function headgate.hear_dags(
    p_deployment text,
    p_dags jsonb,
    p_follows_pauses boolean default true
)
returns table (pipeline text, action text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_change record;
begin
    perform headgate._lock(format('dags %s', coalesce(p_deployment, '')));
    for v_change in
        select * from headgate._note_dags(coalesce(p_deployment, ''), p_dags, v_now) order by 1
    loop
        action := headgate._follow_pause(v_change.pipeline_id, v_change.is_paused, p_follows_pauses);
        continue when action is null;
        select p.name into pipeline from headgate.pipelines as p where p.pipeline_id = v_change.pipeline_id;
        return next;
    end loop;
    perform headgate._recall_orders(coalesce(p_deployment, ''), v_now);
end;
$func$;

comment on function headgate.hear_dags(text, jsonb, boolean) is
    'Record the state of a scheduler''s DAGs, [{dag, is_paused, active_runs, orders_of: [pipeline]}]: with '
    'p_follows_pauses, pausing a DAG pauses its pipeline; returns what was paused and resumed.';

-- Store the reported state of DAGs that run pipelines. Returns pipelines whose DAGs have all been paused since the last
-- report, and those with a DAG that was unpaused.
create or replace function headgate._note_dags(
    p_deployment text,
    p_dags jsonb,
    p_now timestamptz
)
returns table (pipeline_id bigint, is_paused boolean)
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with said as (
        select h.dag, h.is_paused, h.active_runs, coalesce(h.orders_of, '{}') as orders_of
        from jsonb_to_recordset(p_dags) as h (dag text, is_paused boolean, active_runs integer, orders_of text[])
    ),
    heard as (
        select p.pipeline_id, s.dag, s.is_paused, s.active_runs, k.is_paused as was_paused
        from said as s
        cross join headgate.pipelines as p
        left join headgate.dags as k
            on k.pipeline_id = p.pipeline_id
            and k.deployment = p_deployment
            and k.dag = s.dag
        where k.dag is not null
            or p.name = s.dag
            or p.name = any (s.orders_of)
    ),
    noted as (
        insert into headgate.dags as d (pipeline_id, deployment, dag, is_paused, active_runs, heard_at)
        select h.pipeline_id, p_deployment, h.dag, h.is_paused, h.active_runs, p_now
        from heard as h
        on conflict on constraint dags_pkey do update
        set is_paused = excluded.is_paused, active_runs = excluded.active_runs, heard_at = excluded.heard_at
    )
    select h.pipeline_id, bool_and(h.is_paused)
    from heard as h
    group by h.pipeline_id
    having bool_and(h.is_paused) is distinct from bool_and(h.was_paused)
        and count(h.was_paused) > 0;
$func$;

create or replace function headgate._follow_pause(
    p_pipeline_id bigint,
    p_is_paused boolean,
    p_follows boolean
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipeline headgate.pipelines;
begin
    select p.* into v_pipeline from headgate.pipelines as p where p.pipeline_id = p_pipeline_id;
    if p_is_paused and p_follows and not v_pipeline.is_paused then
        perform headgate.pause_pipeline(v_pipeline.name);
        update headgate.pipelines as p set is_paused_with_dag = true where p.pipeline_id = p_pipeline_id;
        return 'paused';
    elsif not p_is_paused and v_pipeline.is_paused_with_dag then
        perform headgate.resume_pipeline(v_pipeline.name);
        return 'resumed';
    end if;
    return null;
end;
$func$;

-- Announce an order again if no run followed its announcement, for example because the DAG was paused at that moment.
create or replace function headgate._recall_orders(
    p_deployment text,
    p_now timestamptz
)
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $func$
    with lost as (
        update headgate.orders as o
        set announced_at = null
        from headgate.dags as d
        where d.deployment = p_deployment
            and d.heard_at = p_now
            and not d.is_paused
            and d.active_runs = 0
            and o.pipeline_id = d.pipeline_id
            and o.taken_at is null
            and o.announced_at < p_now - interval '10 seconds'
        returning o.pipeline_id
    )
    select pg_notify('headgate_orders', '') from lost as l;
$func$;
