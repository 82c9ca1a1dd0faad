-- What a run's parameters choose: assets, groups, operations with their levers, and units.

create or replace function headgate._universes(p_pipeline_id bigint)
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array_agg(distinct o.universe)
    from headgate.pipeline_steps as s
    join headgate.operations as o on o.name = any (s.operations)
    where s.pipeline_id = p_pipeline_id;
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
    select array_agg(distinct headgate.find_asset((headgate._universes(p_pipeline_id))[1], i.item))
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
    from headgate.pipeline_steps as s
    join headgate.operations as o on o.name = any (s.operations)
    join headgate.providers as r using (provider_id)
    left join lever as l
        on l.effect in ('max_assets', 'chunk_size')
        and (l.operations is null or o.name = any (l.operations))
    where s.pipeline_id = p_pipeline_id
        and (p_step is null or s.step = p_step)
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
