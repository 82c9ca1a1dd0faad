-- Resolve a run's parameters: check names and types, and fill in defaults. Their effect is defined in their rows.

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
            headgate._known('its parameters', v_unknown, array(
                select p.name from headgate.pipeline_parameters as p where p.pipeline_id = p_pipeline.pipeline_id
            ))
        );
    end if;

    select coalesce(jsonb_object_agg(p.name, headgate._param_value(p, p_params -> p.name)), '{}')
    into v_params
    from headgate.pipeline_parameters as p
    where p.pipeline_id = p_pipeline.pipeline_id;

    if exists (
        select
        from headgate.pipeline_parameters as p
        where p.pipeline_id = p_pipeline.pipeline_id
            and p.effect in ('groups', 'assets')
            and v_params -> p.name <> 'null'
    ) then
        perform headgate._check_selection(p_pipeline, headgate._bare_options(v_params));
    end if;
    return v_params;
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
        when 'number' then
            if v_text ~ '^-?[0-9]{1,30}([.][0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$' then
                v_value := to_jsonb(v_text::numeric);
            end if;
        when 'boolean' then
            if v_text in ('true', 'false') then
                v_value := to_jsonb(v_text::boolean);
            end if;
        when 'json' then
            v_value := p_value;
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
            format('parameter %s: invalid value %s', p_parameter.name, left(p_value::text, 100)),
            'give ' || case p_parameter.type
                when 'integer' then 'a whole number from 0 to 999999999'
                when 'number' then 'a number, e.g. 0.06'
                when 'boolean' then 'true or false'
                when 'list' then 'a list of texts, or texts between commas'
                else case
                    when p_parameter.allowed is null then 'a text'
                    else 'one of: ' || headgate._names(p_parameter.allowed)
                end
            end
        );
    end if;

    return v_value;
end;
$func$;

-- Unknown groups and assets are errors, and so are those that no step processes: they must not lead to an empty plan.
-- An empty list selects nothing on purpose.
create or replace function headgate._check_selection(
    p_pipeline headgate.pipelines,
    p_options headgate.plan_options
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids constant bigint[] := headgate._selected_assets(p_pipeline.pipeline_id, p_options);
    v_universes constant text[] := headgate._universes(p_pipeline.pipeline_id, p_options);
    v_unknown text;
begin
    select g.item into v_unknown
    from headgate._selected_groups(p_pipeline.pipeline_id, p_options) as g
    where g.group_key is null
    limit 1;
    if v_unknown is not null then
        perform headgate._raise(
            'HG006',
            format('pipeline %s has no group %s', p_pipeline.name, quote_literal(v_unknown)),
            headgate._known('its groups', v_unknown, array(
                select distinct a.group_key from headgate.assets as a where a.universe = any (v_universes)
            ))
        );
    end if;

    perform headgate._check_covered(p_pipeline, p_options);
    if v_asset_ids = '{}' and not exists (
        select
        from unnest(array['groups', 'assets']) as e (effect)
        cross join headgate._choices(p_pipeline.pipeline_id, p_options, e.effect) as c
        where c.items = '[]'
    ) then
        perform headgate._raise(
            'HG008', 'the parameters together select no asset',
            'no asset matches all of the groups and lists given; leave one of them out'
        );
    end if;
end;
$func$;

-- Each name must select something that a step processes.
create or replace function headgate._check_covered(
    p_pipeline headgate.pipelines,
    p_options headgate.plan_options
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_left_out text;
begin
    with reached as (
        select format('group %L', g.item) as item, g.universe, g.group_key
        from headgate._selected_groups(p_pipeline.pipeline_id, p_options) as g
        union all
        select format('%L (group %L)', a.code, a.group_key), a.universe, a.group_key
        from headgate._named_assets(p_pipeline.pipeline_id, p_options) as n
        join headgate.assets as a using (asset_id)
    )
    select r.item into v_left_out
    from reached as r
    group by r.item
    having not bool_or(headgate._is_covered(p_pipeline.pipeline_id, p_options, r.universe, r.group_key))
    order by r.item
    limit 1;
    if v_left_out is not null then
        perform headgate._raise(
            'HG006',
            format('no step of pipeline %s covers %s', p_pipeline.name, v_left_out),
            coalesce(
                (
                    select p.meanings ->> 'advice'
                    from headgate.pipeline_parameters as p
                    where p.pipeline_id = p_pipeline.pipeline_id
                        and p.meanings ? 'advice'
                    limit 1
                ),
                'headgate.cover_groups adds groups to a step'
            )
        );
    end if;
end;
$func$;
