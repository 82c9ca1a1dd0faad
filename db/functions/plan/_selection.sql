-- What a run's parameters choose: assets, groups, operations with their levers, and units.

-- What an execution is planned by: its parameters and, under a name that no parameter can have, whose graph it is.
create or replace function headgate._plan_params(p_execution headgate.process_executions)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_execution.params || jsonb_build_object('?', jsonb_build_object('execution', p_execution.execution_id));
$func$;

-- The fan-outs of a plan: an execution's as they were when it started, a question's as they are now.
create or replace function headgate._graph(
    p_pipeline_id bigint,
    p_params jsonb
)
returns table (step text, "position" integer, operations text[], group_keys text[])
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select s.step, s.position, s.operations, s.group_keys
    from headgate.process_steps as s
    where s.execution_id = (p_params #>> '{?,execution}')::bigint
        and s.kind = 'fan_out'
    union all
    select s.step, s.position, s.operations, s.group_keys
    from headgate.pipeline_steps as s
    where s.pipeline_id = p_pipeline_id
        and s.kind = 'fan_out'
        and p_params #>> '{?,execution}' is null;
$func$;

create or replace function headgate._universes(
    p_pipeline_id bigint,
    p_params jsonb
)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(distinct o.universe)
    from headgate._graph(p_pipeline_id, p_params) as s
    join headgate.operations as o on o.name = any (s.operations);
$func$;

-- The assets a run is limited to; null: all.
create or replace function headgate._selected_assets(
    p_pipeline_id bigint,
    p_params jsonb
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(distinct headgate.find_asset((headgate._universes(p_pipeline_id, p_params))[1], i.item))
    from headgate.pipeline_parameters as p
    cross join jsonb_array_elements_text(nullif(p_params -> p.name, 'null')) as i (item)
    where p.pipeline_id = p_pipeline_id
        and p.effect = 'assets';
$func$;

-- The groups a run is limited to; null: all. Another name for a group (an exchange) limits by attribute instead.
create or replace function headgate._selected_groups(
    p_pipeline_id bigint,
    p_params jsonb
)
returns table (attribute text, items text[])
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select p.meanings ->> 'attribute', array_agg(i.item)
    from headgate.pipeline_parameters as p
    cross join jsonb_array_elements_text(nullif(p_params -> p.name, 'null')) as i (item)
    where p.pipeline_id = p_pipeline_id
        and p.effect = 'groups'
    group by p.name, p.meanings;
$func$;

-- What a run is limited to, in one row.
create or replace function headgate._choice(
    p_pipeline_id bigint,
    p_params jsonb,
    out asset_ids bigint[],
    out groups text[],
    out attribute text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    asset_ids := headgate._selected_assets(p_pipeline_id, p_params);
    select g.items, g.attribute
    into groups, attribute
    from headgate._selected_groups(p_pipeline_id, p_params) as g
    limit 1;
end;
$func$;

-- Is an asset active, and among those that a run is limited to? Meant to inline (no pinned path): it is asked once per
-- pair.
create or replace function headgate._is_chosen(
    p_asset headgate.assets,
    p_asset_ids bigint[],
    p_groups text[],
    p_attribute text
)
returns boolean
language sql
immutable
as $func$
    select p_asset.is_active
        and (p_asset_ids is null or p_asset.asset_id = any (p_asset_ids))
        and (
            p_groups is null
            or p_asset.group_key = any (p_groups)
            or p_asset.attributes ->> p_attribute = any (p_groups)
        );
$func$;

-- The operations a run covers, each with its ceiling and chunk size (null: none of its own).
create or replace function headgate._planned_operations(
    p_pipeline_id bigint,
    p_params jsonb,
    p_step text default null
)
returns table (operation_id bigint, max_assets integer, chunk_size integer)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    with lever as (
        select p.*, nullif(p_params -> p.name, 'null') as value
        from headgate.pipeline_parameters as p
        where p.pipeline_id = p_pipeline_id
    )
    select
        o.operation_id,
        min(l.value::integer) filter (where l.effect = 'max_assets'),
        least(
            min(o.chunk_size),
            min(greatest(1, l.value::integer)) filter (where l.effect = 'chunk_size' and l.value is not null),
            min(greatest(1, r.requests_per_minute / 4)) filter (where r.requests_per_minute is not null)
        )
    from headgate._graph(p_pipeline_id, p_params) as s
    join headgate.operations as o on o.name = any (s.operations)
    join headgate.providers as r using (provider_id)
    left join lever as l
        on l.effect in ('max_assets', 'chunk_size')
        and (l.operations is null or o.name = any (l.operations))
    where (p_step is null or s.step = p_step)
        and coalesce(p_params #> '{?,operations}' ? o.name, true)
        and not exists (
            select
            from lever as m
            where m.effect = 'mode'
                and m.meanings ? (m.value #>> '{}')
                and not (m.meanings -> (m.value #>> '{}')) ? o.name
        )
    group by o.operation_id;
$func$;

-- Usable units per window that the run allows itself; null: no limit of its own.
create or replace function headgate._own_quota(
    p_pipeline_id bigint,
    p_params jsonb
)
returns integer
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select greatest(
        0,
        min((nullif(p_params -> p.name, 'null'))::integer) filter (where p.effect = 'quota')
        - coalesce(sum((nullif(p_params -> p.name, 'null'))::integer) filter (where p.effect = 'quota_buffer'), 0)
    )::integer
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline_id
    having count(*) filter (where p.effect = 'quota' and nullif(p_params -> p.name, 'null') is not null) > 0;
$func$;
