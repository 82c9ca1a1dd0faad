-- Retire objects that the plan's file no longer declares. A row without history is deleted; otherwise it is marked as
-- retired and keeps its assets' state. Objects with work in flight cannot be retired: that is reported as a mistake.

create or replace function headgate._retire_undeclared(p_plan text)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_object record;
    v_obstacle text;
    v_retired text[] := '{}';
begin
    -- Objects that refer to others are retired first.
    for v_object in
        select d.kind, d.name
        from (
            select d.kind, d.name, d.position
            from headgate.declarations as d
            where d.plan = p_plan
                and not d.is_declared
            union all
            select p.kind, p.name, 0 from headgate._strange_parts(p_plan) as p
        ) as d
        order by
            array_position(
                '{route,channel,check,metric,parameter,step,pipeline,operation,rule,provider,pool,store}', d.kind
            ),
            d.position desc
    loop
        v_obstacle := headgate._retirement_obstacle(v_object.kind, v_object.name);
        if v_obstacle is not null then
            perform headgate._note_mistake(
                v_object.kind, v_object.name,
                format('%s is no longer declared, but %s', headgate._object(v_object.kind, v_object.name), v_obstacle),
                'wait until that has ended, declare the object again, or end it in psql by headgate.cancel_execution'
            );
            continue;
        end if;
        perform headgate._retire(v_object.kind, v_object.name);
        delete from headgate.declarations as d where d.kind = v_object.kind and d.name = v_object.name;
        v_retired := v_retired || headgate._object(v_object.kind, v_object.name);
    end loop;
    return nullif(array_to_string(v_retired, '; '), '');
end;
$func$;

-- Rules, steps and parameters of declared objects that no file has declared: rows from before the plan was adopted.
create or replace function headgate._strange_parts(p_plan text)
returns table (kind text, name text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p.kind, format('%s/%s', p.whole, p.part)
    from (
        select 'rule' as kind, 'provider' as whole_kind, p.name as whole, r.position::text as part
        from headgate.response_rules as r
        join headgate.providers as p using (provider_id)
        union all
        select 'step', 'pipeline', p.name, s.step
        from headgate.pipeline_steps as s
        join headgate.pipelines as p using (pipeline_id)
        union all
        select 'parameter', 'pipeline', p.name, m.name
        from headgate.pipeline_parameters as m
        join headgate.pipelines as p using (pipeline_id)
    ) as p
    join headgate.declarations as w on w.kind = p.whole_kind and w.name = p.whole and w.plan = p_plan and w.is_declared
    where not exists (
        select from headgate.declarations as d where d.kind = p.kind and d.name = format('%s/%s', p.whole, p.part)
    );
$func$;

-- Work in flight for an object; null if there is none.
create or replace function headgate._retirement_obstacle(
    p_kind text,
    p_name text
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select format(
        '%s %s in flight, of %s', c.chunks, case c.chunks when 1 then 'chunk is' else 'chunks are' end, c.runs
    )
    from (
        select
            count(distinct h.chunk_id) as chunks,
            string_agg(distinct format('%s/%s', p.name, e.run_id), ', ') as runs
        from headgate.chunks as h
        join headgate.operations as o on o.operation_id in (h.operation_id, h.call_operation_id)
        join headgate.process_executions as e using (execution_id)
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'operation'
            and o.name = p_name
            or p_kind = 'pool'
            and h.pool = p_name
    ) as c
    where c.chunks > 0
    union all
    select format('%s is under way', r.runs)
    from (
        select string_agg(e.run_id, ', ' order by e.started_at) as runs
        from headgate.process_executions as e
        join headgate.pipelines as p using (pipeline_id)
        where p_kind = 'pipeline'
            and p.name = p_name
            and e.status in ('running', 'paused')
    ) as r
    where r.runs is not null
    union all
    select format('check %s is made in its runs', string_agg(c.name, ', ' order by c.name))
    from headgate.checks as c
    where p_kind = 'pipeline'
        and c.pipeline = p_name
    having count(*) > 0;
$func$;

create or replace function headgate._retire(
    p_kind text,
    p_name text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    case p_kind
        when 'route' then
            delete from headgate.routes as r where r.name = p_name;
        when 'channel' then
            delete from headgate.channels as c where c.name = p_name;
        when 'parameter' then
            delete from headgate.pipeline_parameters as m
            using headgate.pipelines as p
            where p.pipeline_id = m.pipeline_id
                and (p.name, m.name) = (split_part(p_name, '/', 1), split_part(p_name, '/', 2));
        when 'step' then
            delete from headgate.pipeline_steps as s
            using headgate.pipelines as p
            where p.pipeline_id = s.pipeline_id
                and (p.name, s.step) = (split_part(p_name, '/', 1), split_part(p_name, '/', 2));
        when 'rule' then
            delete from headgate.response_rules as r
            using headgate.providers as p
            where p.provider_id = r.provider_id
                and (p.name, r.position::text) = (split_part(p_name, '/', 1), split_part(p_name, '/', 2));
        when 'pipeline' then
            perform headgate._retire_pipeline(headgate._id_of(p_kind, p_name));
        when 'operation' then
            perform headgate._retire_operation(headgate._id_of(p_kind, p_name));
            perform headgate._settle_implied_asset(p_name);
            perform headgate._close_stage(p_name);
            perform headgate._close_changes(p_name);
        when 'provider' then
            perform headgate._retire_provider(headgate._id_of(p_kind, p_name));
        when 'pool' then
            update headgate.operations as o set pool = null, pool_slots = 1 where o.pool = p_name and o.is_retired;
            delete from headgate.pools as p where p.name = p_name;
        when 'store' then
            perform headgate._retire_store(p_name);
        when 'check' then
            perform headgate._retire_check(p_name);
        when 'metric' then
            perform headgate._retire_metric(p_name);
    end case;
end;
$func$;

create or replace function headgate._retire_pipeline(p_pipeline_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.step_groups as g where g.pipeline_id = p_pipeline_id;
    delete from headgate.queued_runs as q where q.pipeline_id = p_pipeline_id;
    if exists (select from headgate.process_executions as e where e.pipeline_id = p_pipeline_id)
        or exists (select from headgate.orders as o where o.pipeline_id = p_pipeline_id)
        or exists (select from headgate.quota_shares as q where q.pipeline_id = p_pipeline_id)
    then
        update headgate.pipelines as p set is_retired = true where p.pipeline_id = p_pipeline_id;
    else
        delete from headgate.dags as d where d.pipeline_id = p_pipeline_id;
        delete from headgate.pipelines as p where p.pipeline_id = p_pipeline_id;
    end if;
end;
$func$;

create or replace function headgate._retire_operation(p_operation_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.operation_inputs as n where p_operation_id in (n.operation_id, n.input_operation_id);
    update headgate.operations as o set follows_operation_id = null where o.follows_operation_id = p_operation_id;
    if exists (
        select
        from headgate.asset_processing_state as s
        where s.operation_id = p_operation_id
            and (s.succeeded_at is not null or s.watermark is not null or s.last_failed_at is not null)
    )
        or exists (select from headgate.asset_processing_details as d where d.operation_id = p_operation_id)
        or exists (select from headgate.planner_deferrals as f where f.operation_id = p_operation_id)
        or exists (select from headgate.operations as c where c.bulk_call_of_operation_id = p_operation_id)
    then
        update headgate.operations as o set is_retired = true where o.operation_id = p_operation_id;
        update headgate.asset_processing_state as s
        set next_due_at = null
        where s.operation_id = p_operation_id
            and s.next_due_at is not null;
    else
        delete from headgate.asset_processing_state as s where s.operation_id = p_operation_id;
        delete from headgate.breakers as b where b.operation_id = p_operation_id;
        delete from headgate.job_counts as c where c.operation_id = p_operation_id;
        delete from headgate.operations as o where o.operation_id = p_operation_id;
    end if;
end;
$func$;

-- Its queues stay: they are empty, and pgmq keeps the archived messages.
create or replace function headgate._retire_provider(p_provider_id bigint)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    delete from headgate.publication_lags as l where l.provider_id = p_provider_id;
    if exists (select from headgate.operations as o where o.provider_id = p_provider_id)
        or exists (select from headgate.quota_windows as w where w.provider_id = p_provider_id)
        or exists (select from headgate.quota_shares as q where q.provider_id = p_provider_id)
        or exists (select from headgate.response_rules as r where r.provider_id = p_provider_id)
    then
        update headgate.providers as p set is_retired = true where p.provider_id = p_provider_id;
    else
        delete from headgate.rate_limiters as r where r.provider_id = p_provider_id;
        delete from headgate.breakers as b where b.provider_id = p_provider_id;
        delete from headgate.providers as p where p.provider_id = p_provider_id;
    end if;
end;
$func$;

create or replace function headgate._retire_store(p_store text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
begin
    update headgate.operations as o
    set store = null,
        artifact_name = null,
        keep_files = null
    where o.store = p_store
        and o.is_retired;
    if exists (select from headgate.artifacts as a where a.store = p_store) then
        update headgate.stores as s set is_retired = true where s.name = p_store;
    else
        delete from headgate.stores as s where s.name = p_store;
    end if;
end;
$func$;

-- Its results stay until they are forgotten.
create or replace function headgate._retire_check(p_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_check headgate.checks;
begin
    delete from headgate.checks as c where c.name = p_name returning c.* into v_check;
    execute format('drop function if exists %s()', headgate._checked_name(v_check.function));
    perform headgate._resolve_checks_alerts(p_name, '{}', headgate.clock());
end;
$func$;

create or replace function headgate._retire_metric(p_name text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_function text;
begin
    delete from headgate.metrics as m where m.name = p_name returning m.function into v_function;
    execute format('drop function if exists %s()', headgate._checked_name(v_function));
end;
$func$;
