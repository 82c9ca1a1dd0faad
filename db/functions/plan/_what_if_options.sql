-- Options of a what-if question: the run's own parameters, and four that only explain and forecast accept.

create or replace function headgate._what_if_options(
    p_pipeline headgate.pipelines,
    p_params jsonb
)
returns headgate.plan_options
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_what_if jsonb;
    v_unknown text;
begin
    if jsonb_typeof(coalesce(p_params, '{}')) <> 'object' then
        return headgate._bare_options(headgate._resolve_params(p_pipeline, p_params));
    end if;
    select coalesce(jsonb_object_agg(w.key, w.value), '{}')
    into v_what_if
    from jsonb_each(p_params) as w
    where w.key in ('bulk_calls', 'calendar', 'reserve', 'operations')
        and not exists (
            select
            from headgate.pipeline_parameters as p
            where p.pipeline_id = p_pipeline.pipeline_id and p.name = w.key
        );

    select o.name into v_unknown
    from jsonb_array_elements_text(
        case when jsonb_typeof(v_what_if -> 'operations') = 'array' then v_what_if -> 'operations' end
    ) as o (name)
    where not exists (
        select
        from headgate.pipeline_steps as s
        where s.pipeline_id = p_pipeline.pipeline_id and o.name = any (s.operations)
    )
    limit 1;
    if v_unknown is not null then
        perform headgate._raise(
            'HG004', format('pipeline %s has no operation %s', p_pipeline.name, quote_literal(v_unknown)),
            headgate._known('its operations', v_unknown, array(
                select unnest(s.operations)
                from headgate.pipeline_steps as s
                where s.pipeline_id = p_pipeline.pipeline_id
            ))
        );
    elsif coalesce(jsonb_typeof(v_what_if -> 'bulk_calls') <> 'boolean', false)
        or coalesce(v_what_if ->> 'calendar' not in ('sessions', 'daily'), false)
        or coalesce(jsonb_typeof(v_what_if -> 'operations') <> 'array', false)
        or coalesce(v_what_if ->> 'reserve' !~ '^[0-9]{1,9}$', false)
    then
        perform headgate._raise(
            'HG008', format('invalid what-if parameter: %s', left(v_what_if::text, 200)),
            'bulk_calls: true or false; calendar: sessions or daily; reserve: units; operations: a list of names'
        );
    end if;

    return row(
        headgate._resolve_params(p_pipeline, p_params - array(select jsonb_object_keys(v_what_if))), null, false,
        coalesce(v_what_if ->> 'calendar' = 'daily', false),
        coalesce((v_what_if ->> 'bulk_calls')::boolean, true),
        (v_what_if ->> 'reserve')::integer,
        case
            when v_what_if ? 'operations' then array(select jsonb_array_elements_text(v_what_if -> 'operations'))
        end
    )::headgate.plan_options;
end;
$func$;
