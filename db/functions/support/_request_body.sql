-- A JSON body: every string in it is a template, and a string that is exactly one field becomes its value: number, list
-- or object.

create or replace function headgate._request_body(
    p_body jsonb,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    return case jsonb_typeof(p_body)
        when 'string' then coalesce(
            headgate._field_value(
                substring(p_body #>> '{}' from '^[{]([a-z_]+(?:[.][A-Za-z0-9_-]+)+)[?]?[}]$'),
                p_asset, p_state, p_params
            ),
            to_jsonb(headgate._render(p_body #>> '{}', p_asset, p_state, p_params))
        )
        when 'object' then (
            select coalesce(jsonb_object_agg(e.key, headgate._request_body(e.value, p_asset, p_state, p_params)), '{}')
            from jsonb_each(p_body) as e
        )
        when 'array' then (
            select coalesce(jsonb_agg(headgate._request_body(e.item, p_asset, p_state, p_params) order by e.nth), '[]')
            from jsonb_array_elements(p_body) with ordinality as e (item, nth)
        )
        else p_body
    end;
end;
$func$;

-- A field as a JSON value; null when it has no value.
create or replace function headgate._field_value(
    p_field text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_field = 'asset.asset_id' then to_jsonb(p_asset.asset_id)
        when p_field like 'asset.%' and p_field not in ('asset.code', 'asset.group_key', 'asset.calendar')
            then nullif(p_asset.attributes -> split_part(p_field, '.', 2), 'null')
        when p_field like 'param.%' then nullif(p_params -> split_part(p_field, '.', 2), 'null')
        when p_field like 'steps.%'
            then nullif(p_params -> '?steps' #> (string_to_array(p_field, '.'))[2 :], 'null')
        else to_jsonb(headgate._field(p_field, p_asset, p_state, p_params))
    end;
$func$;
