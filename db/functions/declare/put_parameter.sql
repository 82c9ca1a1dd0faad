-- A parameter of a pipeline's runs. Most effects imply the type.

create or replace function headgate.put_parameter(
    pipeline text,
    parameter text,
    effect text,
    description text default null,
    type text default null,
    default_value jsonb default null,
    allowed text[] default null,
    operations text[] default null,
    meanings jsonb default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
#variable_conflict use_variable
declare
    v_name constant text := format('%s/%s', pipeline, parameter);
begin
    perform headgate._check_reference('parameter', v_name, 'pipeline', pipeline);
    perform headgate._check_reference('parameter', v_name, 'operation', o.name) from unnest(operations) as o (name);
    return headgate._declare('parameter', v_name, jsonb_build_object(
        'effect', effect,
        'description', description,
        'type', coalesce(type, case
            when effect in ('quota', 'quota_buffer', 'max_assets', 'chunk_size') then 'integer'
            when effect in ('groups', 'assets') then 'list'
            else 'text'
        end),
        'default_value', default_value,
        'allowed', allowed,
        'operations', operations,
        'meanings', meanings
    ));
end;
$func$;

comment on function headgate.put_parameter is
    'Declare what a run of a pipeline may set, and its effect. Returns created, unchanged, or changed and what.';
