-- Request templates: {asset.code}, {state.watermark}, {param.x}. Values are always URL-encoded where they enter a URL,
-- so that no key, however hostile, can leave its place in it.

create or replace function headgate._url_encode(p_text text)
returns text
language sql
immutable
strict
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text ~ '^[A-Za-z0-9_.~-]*$' and p_text !~ '^[.]+$' then p_text
        when p_text ~ '^[.]+$' then replace(p_text, '.', '%2E')
        else (
            select string_agg(
                case
                    when b.byte between 48 and 57 or b.byte between 65 and 90 or b.byte between 97 and 122
                        or b.byte in (45, 46, 95, 126) then chr(b.byte)
                    else '%' || upper(lpad(to_hex(b.byte), 2, '0'))
                end,
                '' order by b.nth
            )
            from (
                select n as nth, get_byte(convert_to(p_text, 'UTF8'), n) as byte
                from generate_series(0, octet_length(convert_to(p_text, 'UTF8')) - 1) as n
            ) as b
        )
    end;
$func$;

-- A timestamp as requests want it: a date at midnight UTC, else ISO 8601.
create or replace function headgate._request_time(p_at timestamptz)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when date_trunc('day', p_at at time zone 'UTC') = p_at at time zone 'UTC'
            then to_char(p_at at time zone 'UTC', 'YYYY-MM-DD')
        else to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    end;
$func$;

-- What a field of a template means for one job; null when it has no value.
create or replace function headgate._field(
    p_field text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case p_field
        when 'asset.code' then p_asset.code
        when 'asset.group_key' then p_asset.group_key
        when 'asset.asset_id' then p_asset.asset_id::text
        when 'asset.calendar' then p_asset.calendar
        when 'state.watermark' then headgate._request_time(p_state.watermark)
        when 'state.succeeded_at' then headgate._request_time(p_state.succeeded_at)
        else case split_part(p_field, '.', 1)
            when 'asset' then p_asset.attributes ->> split_part(p_field, '.', 2)
            when 'param' then p_params ->> split_part(p_field, '.', 2)
        end
    end;
$func$;

-- A template filled in. A field without a value: null when it is marked {x?}, otherwise an error that names it.
create or replace function headgate._render(
    p_template text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb,
    p_is_url boolean
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_result text := '';
    v_rest text := p_template;
    v_found text[];
    v_value text;
begin
    loop
        v_found := regexp_match(v_rest, '^([^{]*)[{]([a-z_]+[.][A-Za-z0-9_]+)([?]?)[}](.*)$');
        exit when v_found is null;
        v_value := headgate._field(v_found[2], p_asset, p_state, p_params);
        if v_value is null then
            if v_found[3] = '?' then
                return null;
            end if;
            perform headgate._raise(
                'HG017',
                format('the template field {%s} has no value for %s', v_found[2], p_asset.code),
                'give the asset that attribute, or mark the field {...?} to leave the parameter out'
            );
        end if;
        v_result := v_result || v_found[1] || case when p_is_url then headgate._url_encode(v_value) else v_value end;
        v_rest := v_found[4];
    end loop;

    return v_result || v_rest;
end;
$func$;

-- One job's URL: path and query, without base URL and secret.
create or replace function headgate._request_url(
    p_operation headgate.operations,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select headgate._render(p_operation.path, p_asset, p_state, p_params, true) || coalesce('?' || (
        select string_agg(headgate._url_encode(q.key) || '=' || q.value, '&' order by q.key)
        from (
            select t.key, headgate._render(t.value, p_asset, p_state, p_params, true) as value
            from jsonb_each_text(p_operation.query) as t
        ) as q
        where q.value is not null
    ), '');
$func$;

-- A JSON body: every string in it is a template.
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
        when 'string' then to_jsonb(headgate._render(p_body #>> '{}', p_asset, p_state, p_params, false))
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
