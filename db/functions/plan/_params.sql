-- A run's parameters: known, of the right type, defaults filled in. What a parameter does is its row's business.

create or replace function headgate._resolve_params(
    p_pipeline headgate.pipelines,
    p_params jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_unknown text;
    v_params jsonb;
begin
    if jsonb_typeof(coalesce(p_params, '{}')) <> 'object' then
        perform headgate._raise('HG008', 'parameters must be an object', 'e.g. {"mode": "auto"}');
    end if;
    select k.key into v_unknown
    from jsonb_object_keys(coalesce(p_params, '{}')) as k (key)
    where k.key not in (
        select p.name from headgate.pipeline_parameters as p where p.pipeline_id = p_pipeline.pipeline_id
    )
    limit 1;
    if v_unknown is not null then
        perform headgate._raise(
            'HG007',
            format('pipeline %s has no parameter %s', p_pipeline.name, quote_literal(v_unknown)),
            'its parameters: ' || headgate._names(array(
                select p.name from headgate.pipeline_parameters as p where p.pipeline_id = p_pipeline.pipeline_id
            ))
        );
    end if;

    select coalesce(jsonb_object_agg(p.name, headgate._param_value(p, p_params -> p.name)), '{}')
    into v_params
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline.pipeline_id;

    perform headgate._check_selection(p_pipeline, v_params);
    return v_params;
end;
$func$;

-- Parameters of a question: the run's own, and four that only explain and forecast know. Those travel under a name that no
-- parameter can have.
create or replace function headgate._what_if_params(
    p_pipeline headgate.pipelines,
    p_params jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_what_if jsonb;
    v_unknown text;
begin
    if jsonb_typeof(coalesce(p_params, '{}')) <> 'object' then
        return headgate._resolve_params(p_pipeline, p_params);
    end if;
    select coalesce(jsonb_object_agg(w.key, w.value), '{}')
    into v_what_if
    from jsonb_each(p_params) as w
    where w.key in ('alternatives', 'calendar', 'reserve', 'operations')
        and not exists (
            select from headgate.pipeline_parameters as p where p.pipeline_id = p_pipeline.pipeline_id and p.name = w.key
        );

    select o.name into v_unknown
    from jsonb_array_elements_text(
        case when jsonb_typeof(v_what_if -> 'operations') = 'array' then v_what_if -> 'operations' end
    ) as o (name)
    where not exists (
        select from headgate.pipeline_steps as s where s.pipeline_id = p_pipeline.pipeline_id and o.name = any (s.operations)
    )
    limit 1;
    if v_unknown is not null then
        perform headgate._raise(
            'HG004', format('pipeline %s has no operation %s', p_pipeline.name, quote_literal(v_unknown)),
            'its operations: ' || headgate._names(array(
                select unnest(s.operations) from headgate.pipeline_steps as s where s.pipeline_id = p_pipeline.pipeline_id
            ))
        );
    elsif coalesce(jsonb_typeof(v_what_if -> 'alternatives') <> 'boolean', false)
        or coalesce(v_what_if ->> 'calendar' not in ('sessions', 'daily'), false)
        or coalesce(jsonb_typeof(v_what_if -> 'operations') <> 'array', false)
        or coalesce(v_what_if ->> 'reserve' !~ '^[0-9]{1,9}$', false)
    then
        perform headgate._raise(
            'HG008', format('this question is no valid one: %s', left(v_what_if::text, 200)),
            'alternatives: true or false; calendar: sessions or daily; reserve: units; operations: a list of names'
        );
    end if;

    return headgate._resolve_params(p_pipeline, p_params - array(select jsonb_object_keys(v_what_if)))
        || jsonb_build_object('?', v_what_if);
end;
$func$;

create or replace function headgate._param_value(
    p_parameter headgate.pipeline_parameters,
    p_value jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_text text := p_value #>> '{}';
    v_value jsonb;
begin
    if p_value is null or p_value = 'null' then
        return p_parameter.default_value;
    end if;

    case p_parameter.type
        when 'integer' then
            if v_text ~ '^[0-9]{1,9}$' then
                v_value := to_jsonb(v_text::integer);
            end if;
        when 'list' then
            if jsonb_typeof(p_value) in ('string', 'number') then
                v_value := to_jsonb(array_remove(array(
                    select trim(i.item) from string_to_table(v_text, ',') as i (item)
                ), ''));
            elsif jsonb_typeof(p_value) = 'array'
                and not jsonb_path_exists(p_value, 'strict $[*] ? (@.type() != "string")')
            then
                v_value := p_value;
            end if;
        else
            if jsonb_typeof(p_value) = 'string'
                and (p_parameter.allowed is null or v_text = any (p_parameter.allowed))
            then
                v_value := p_value;
            end if;
    end case;

    if v_value is null then
        perform headgate._raise(
            'HG008',
            format('parameter %s: %s is no valid value', p_parameter.name, left(p_value::text, 100)),
            'give ' || case p_parameter.type
                when 'integer' then 'a whole number from 0 to 999999999'
                when 'list' then 'a list of texts, or texts between commas'
                else case when p_parameter.allowed is null then 'a text' else 'one of: ' || headgate._names(p_parameter.allowed) end
            end
        );
    end if;

    return v_value;
end;
$func$;

-- Groups and assets that do not exist are errors, not empty plans.
create or replace function headgate._check_selection(
    p_pipeline headgate.pipelines,
    p_params jsonb
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_universes constant text[] := headgate._universes(p_pipeline.pipeline_id);
    v_unknown text;
begin
    select i.item into v_unknown
    from headgate.pipeline_parameters as p
    cross join jsonb_array_elements_text(nullif(p_params -> p.name, 'null')) as i (item)
    where p.pipeline_id = p_pipeline.pipeline_id
        and p.effect = 'groups'
        and not exists (
            select
            from headgate.assets as a
            where a.universe = any (v_universes)
                and (a.group_key = i.item or a.attributes ->> (p.meanings ->> 'attribute') = i.item)
        )
    limit 1;
    if v_unknown is not null then
        perform headgate._raise(
            'HG006',
            format('pipeline %s has no group %s', p_pipeline.name, quote_literal(v_unknown)),
            'its groups: ' || headgate._names(array(
                select distinct a.group_key from headgate.assets as a where a.universe = any (v_universes)
            ))
        );
    end if;

    perform headgate._selected_assets(p_pipeline.pipeline_id, p_params);
end;
$func$;

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
