-- What a run's parameters choose: assets, groups, operations with their levers, and units.

-- What an execution is planned by: its parameters and, under a name that no parameter can have, whose graph it is.
create or replace function headgate._plan_params(p_execution headgate.process_executions)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select p_execution.params || jsonb_build_object(
        '?', jsonb_build_object('execution', p_execution.execution_id, 'is_backfill', p_execution.is_backfill)
    );
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

-- The lists that a run has been given for this lever. One that is empty is a choice, too: of nothing.
create or replace function headgate._choices(
    p_pipeline_id bigint,
    p_params jsonb,
    p_effect text
)
returns table (parameter text, items jsonb)
language sql
stable
rows 2
set search_path = pg_catalog, pg_temp
as $func$
    select p.name, p_params -> p.name
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline_id
        and p.effect = p_effect
        and jsonb_typeof(p_params -> p.name) = 'array';
$func$;

-- The assets a run is limited to: those it names, and those of the groups it names; null: all.
create or replace function headgate._selected_assets(
    p_pipeline_id bigint,
    p_params jsonb
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when n.asset_ids is null then g.asset_ids
        when g.asset_ids is null then n.asset_ids
        else array(select unnest(n.asset_ids) intersect select unnest(g.asset_ids))
    end
    from (
        select case when exists (select from headgate._choices(p_pipeline_id, p_params, 'assets'))
            then array(select n.asset_id from headgate._named_assets(p_pipeline_id, p_params) as n)
        end as asset_ids
    ) as n
    cross join headgate._assets_of_groups(p_pipeline_id, p_params) as g (asset_ids);
$func$;

-- The assets that a run's parameters name; one that is unknown is an error.
create or replace function headgate._named_assets(
    p_pipeline_id bigint,
    p_params jsonb
)
returns table (asset_id bigint)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    select distinct headgate.find_asset((headgate._universes(p_pipeline_id, p_params))[1], i.item)
    from headgate._choices(p_pipeline_id, p_params, 'assets') as c
    cross join jsonb_array_elements_text(c.items) as i (item);
$func$;

-- The assets of the groups a run is limited to; null: all. Each parameter that names groups narrows the choice.
create or replace function headgate._assets_of_groups(
    p_pipeline_id bigint,
    p_params jsonb
)
returns bigint[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with choice as materialized (
        select * from headgate._selected_groups(p_pipeline_id, p_params)
    )
    select case when l.parameters > 0 then array(
        select a.asset_id
        from choice as c
        join headgate.assets as a
            on a.universe = c.universe
            and a.group_key = c.group_key
            and (c.attribute is null or a.attributes ->> c.attribute = c.item)
        group by a.asset_id
        having count(distinct c.parameter) = l.parameters
    ) end
    from (select count(*) as parameters from headgate._choices(p_pipeline_id, p_params, 'groups')) as l;
$func$;

-- The groups that a run's parameters name, in each universe of the pipeline. A name is a group's
-- key, or else a value of the parameter's attribute: then it means the assets that carry it (attribute is set), and, in
-- a universe whose assets do not carry the attribute, the groups in which there are such assets. A name of nothing has
-- a row without a group.
create or replace function headgate._selected_groups(
    p_pipeline_id bigint,
    p_params jsonb
)
returns table (parameter text, item text, universe text, group_key text, attribute text)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $func$
    with choice as materialized (
        select p.name as parameter, p.meanings ->> 'attribute' as attribute, i.item
        from headgate._choices(p_pipeline_id, p_params, 'groups') as c
        join headgate.pipeline_parameters as p on p.pipeline_id = p_pipeline_id and p.name = c.parameter
        cross join jsonb_array_elements_text(c.items) as i (item)
    ),
    universe as materialized (
        select u.universe
        from unnest(headgate._universes(p_pipeline_id, p_params)) as u (universe)
        where exists (select from choice)
    ),
    keyed as materialized (
        select c.parameter, c.item, u.universe, c.item as group_key
        from choice as c
        cross join universe as u
        cross join lateral (
            select from headgate.assets as a where a.universe = u.universe and a.group_key = c.item limit 1
        ) as found
    ),
    carried as materialized (
        select c.parameter, c.item, a.universe, a.group_key, c.attribute
        from choice as c
        cross join lateral (
            select distinct a.universe, a.group_key
            from headgate.assets as a
            where a.attributes ->> c.attribute = c.item
                and a.universe in (select u.universe from universe as u)
        ) as a
        where c.item not in (select k.item from keyed as k)
    )
    select k.parameter, k.item, k.universe, k.group_key, null
    from keyed as k
    union all
    select * from carried
    union all
    select distinct c.parameter, c.item, u.universe, c.group_key, null
    from carried as c
    cross join universe as u
    where not exists (
            select from headgate.assets as a where a.universe = u.universe and a.attributes ? c.attribute
        )
        and exists (
            select from headgate.assets as a where a.universe = u.universe and a.group_key = c.group_key
        )
    union all
    select c.parameter, c.item, null, null, null
    from choice as c
    where not exists (
        select from keyed as k where k.parameter = c.parameter and k.item = c.item
        union all
        select from carried as k where k.parameter = c.parameter and k.item = c.item
    );
$func$;

-- Does some step take this group for an operation of its universe?
create or replace function headgate._is_covered(
    p_pipeline_id bigint,
    p_params jsonb,
    p_universe text,
    p_group_key text
)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select exists (
        select
        from headgate._graph(p_pipeline_id, p_params) as s
        join headgate.operations as o on o.name = any (s.operations)
        where o.universe = p_universe
            and (s.group_keys is null or p_group_key = any (s.group_keys))
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
