-- Settings as columns of the table, with names of other objects resolved to ids.
create or replace function headgate._as_columns(
    p_kind text,
    p_name text,
    p_settings jsonb
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select (
        select jsonb_object_agg(s.key, s.value)
        from jsonb_each(p_settings) as s (key, value)
        where s.key not in ('publication_lags', 'inputs', 'provider', 'follows', 'bulk_call_of')
    ) || case p_kind
        when 'rule' then jsonb_build_object(
            'provider_id', headgate._id_of('provider', split_part(p_name, '/', 1)),
            'position', split_part(p_name, '/', 2)::integer
        )
        when 'step' then jsonb_build_object(
            'pipeline_id', headgate._id_of('pipeline', split_part(p_name, '/', 1)), 'step', split_part(p_name, '/', 2)
        )
        when 'parameter' then jsonb_build_object(
            'pipeline_id', headgate._id_of('pipeline', split_part(p_name, '/', 1)), 'name', split_part(p_name, '/', 2)
        )
        when 'operation' then jsonb_build_object(
            'name', p_name,
            'provider_id', headgate._id_of('provider', p_settings ->> 'provider'),
            'follows_operation_id', headgate._id_of('operation', p_settings ->> 'follows'),
            'bulk_call_of_operation_id', headgate._id_of('operation', p_settings ->> 'bulk_call_of')
        )
        else jsonb_build_object('name', p_name)
    end;
$func$;
