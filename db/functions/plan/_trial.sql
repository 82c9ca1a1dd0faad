-- A job as a runner would receive it, in a run made up for previews and trials. This inserts the run, and the need if
-- the asset has none, so the caller has to roll back.

create or replace function headgate._trial(
    p_operation text,
    p_asset_id bigint,
    p_pipeline text,
    p_params jsonb,
    out chunk headgate.chunks,
    out call headgate.operations,
    out provider headgate.providers,
    out pipeline text,
    out params jsonb
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_call headgate.operations;
    v_need headgate.operations;
    v_step headgate.pipeline_steps;
    v_pipeline headgate.pipelines;
    v_execution headgate.process_executions;
    v_asset headgate.assets;
begin
    if p_pipeline is not null then
        perform headgate._pipeline(p_pipeline);
    end if;
    v_call := headgate._operation(p_operation);
    v_need := v_call;
    if v_call.bulk_call_of_operation_id is not null then
        select * into v_need from headgate.operations as o where o.operation_id = v_call.bulk_call_of_operation_id;
    end if;
    v_asset := headgate._asset_of(p_asset_id, v_call, v_need);
    v_step := headgate._trial_step(v_call, v_need, v_asset, p_pipeline);
    select * into v_pipeline from headgate.pipelines as p where p.pipeline_id = v_step.pipeline_id;

    insert into headgate.process_executions (pipeline_id, run_id, driver, status, params, started_at, finished_at)
    values (
        v_pipeline.pipeline_id, 'trial ' || to_char(clock_timestamp(), 'YYYY-MM-DD HH24:MI:SS.US'), 'headgate',
        'cancelled', headgate._resolve_params(v_pipeline, p_params), v_now, v_now
    )
    returning * into v_execution;
    insert into headgate.asset_processing_state (operation_id, asset_id, priority)
    values (v_need.operation_id, p_asset_id, 10 * v_need.priority)
    on conflict (operation_id, asset_id) do nothing;

    call := v_call;
    select * into provider from headgate.providers as p where p.provider_id = v_call.provider_id;
    pipeline := v_pipeline.name;
    params := v_execution.params || jsonb_build_object(
        '?run', headgate._run_object(v_execution),
        '?steps', headgate._latest_outputs(v_pipeline.pipeline_id, headgate._named_steps(v_call, provider))
    );
    chunk.chunk_id := 0;
    chunk.execution_id := v_execution.execution_id;
    chunk.step := v_step.step;
    chunk.round := 1;
    chunk.attempt := 1;
    chunk.operation_id := v_need.operation_id;
    chunk.provider_id := v_call.provider_id;
    chunk.group_key := v_asset.group_key;
    chunk.priority := v_need.priority;
    chunk.asset_ids := array[p_asset_id];
    chunk.calls := 1;
    chunk.units := v_call.units + v_call.units_per_asset;
    chunk.planned_at := v_now;
    chunk.call_operation_id := v_call.operation_id;
    chunk.is_bulk := v_call.operation_id <> v_need.operation_id;
    if chunk.is_bulk then
        chunk.sessions := array[
            case when v_call.batch_size is null then headgate._last_session(provider, v_asset, v_now) end
        ];
    end if;
end;
$func$;

-- The asset, which must be in the operation's universe.
create or replace function headgate._asset_of(
    p_asset_id bigint,
    p_call headgate.operations,
    p_need headgate.operations
)
returns headgate.assets
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset headgate.assets;
begin
    select * into v_asset from headgate.assets as a where a.asset_id = p_asset_id;
    if not found then
        perform headgate._raise(
            'HG009', format('unknown asset: %s', coalesce(p_asset_id::text, 'null')),
            'headgate.find_asset finds it by its code'
        );
    elsif v_asset.universe <> p_need.universe then
        perform headgate._raise(
            'HG008',
            format(
                'operation %s works on assets of universe %s, and %s is in %s', p_call.name, p_need.universe,
                v_asset.code, v_asset.universe
            ),
            'name an asset of that universe: headgate.v_assets lists them'
        );
    end if;
    return v_asset;
end;
$func$;

-- The step that runs the operation, for the asset's group if possible, in the given pipeline or else the first one.
create or replace function headgate._trial_step(
    p_call headgate.operations,
    p_need headgate.operations,
    p_asset headgate.assets,
    p_pipeline text
)
returns headgate.pipeline_steps
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_pipelines text[];
    v_step headgate.pipeline_steps;
begin
    select s.* into v_step
    from headgate.pipeline_steps as s
    join headgate.pipelines as p using (pipeline_id)
    where p_need.name = any (s.operations)
        and (p_pipeline is null or p.name = p_pipeline)
    order by p.is_retired, coalesce(p_asset.group_key = any (s.group_keys), true) desc, p.name, s.position
    limit 1;
    if not found then
        v_pipelines := array(
            select distinct p.name
            from headgate.pipeline_steps as s
            join headgate.pipelines as p using (pipeline_id)
            where p_need.name = any (s.operations)
        );
        perform headgate._raise(
            'HG008',
            format('no step of %s runs operation %s', coalesce('pipeline ' || p_pipeline, 'a pipeline'), p_call.name),
            case
                when v_pipelines = '{}' then 'put_step(..., operations) declares one'
                else 'it is run by: ' || headgate._names(v_pipelines)
            end
        );
    end if;
    return v_step;
end;
$func$;

-- The last published session of the asset's calendar; without a calendar, yesterday.
create or replace function headgate._last_session(
    p_provider headgate.providers,
    p_asset headgate.assets,
    p_now timestamptz
)
returns date
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(
        (
            select max(u.session)
            from unnest(headgate._missing_sessions(
                p_provider.provider_id, p_asset.calendar, (p_now at time zone 'UTC')::date - 30, p_now, false, 100
            )) as u (session)
        ),
        (p_now at time zone 'UTC')::date - 1
    );
$func$;

-- The outputs of steps in the last run in which each had one.
create or replace function headgate._latest_outputs(
    p_pipeline_id bigint,
    p_steps text[]
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_object_agg(n.step, l.output), '{}')
    from unnest(p_steps) as n (step)
    cross join lateral (
        select o.output
        from headgate.process_executions as e
        join headgate._step_outputs as o using (execution_id)
        where e.pipeline_id = p_pipeline_id
            and o.step = n.step
            and o.output is not null
        order by e.started_at desc, e.execution_id desc
        limit 1
    ) as l;
$func$;
