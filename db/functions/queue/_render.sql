-- Request templates: {asset.code}, {state.watermark}, {state.since}, {chunk.codes}, {param.x}, {run.date}, {job.key}.
-- Values are always URL-encoded where they enter a URL, so that a key stays in its segment of the path, or in its
-- parameter. A segment of dots cannot be encoded, because somebody on the way may decode it: the runner sends no such
-- request.

create or replace function headgate._url_encode(p_text text)
returns text
language sql
immutable
strict
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when p_text ~ '^[A-Za-z0-9_.~-]*$' then p_text
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

-- A timestamp as requests want it: a date at midnight UTC, else ISO 8601. It and _field are inlined: no pinned path.
create or replace function headgate._request_time(p_at timestamptz)
returns text
language sql
stable
as $func$
    select case
        when date_trunc('day', p_at at time zone 'UTC') = p_at at time zone 'UTC'
            then to_char(p_at at time zone 'UTC', 'YYYY-MM-DD')
        else to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    end;
$func$;

-- Where a request with an overlap begins: so many sessions before its watermark, the watermark's own among them.
create or replace function headgate._since(
    p_asset headgate.assets,
    p_state headgate.asset_processing_state
)
returns timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when o.overlap = 0 then p_state.watermark
        when p_asset.calendar is null then p_state.watermark - make_interval(days => o.overlap)
        else (
            select coalesce(min(n.session)::timestamp at time zone 'UTC', p_state.watermark)
            from (
                select t.session
                from headgate.trading_sessions as t
                where t.calendar = p_asset.calendar
                    and t.session <= (p_state.watermark at time zone 'UTC')::date
                order by t.session desc
                limit o.overlap
            ) as n
        )
    end
    from headgate.operations as o
    where o.operation_id = p_state.operation_id;
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
stable
as $func$
    select case
        when p_field = 'asset.code' then p_asset.code
        when p_field = 'asset.group_key' then p_asset.group_key
        when p_field = 'asset.asset_id' then p_asset.asset_id::pg_catalog.text
        when p_field = 'asset.calendar' then p_asset.calendar
        when p_field = 'chunk.session' then p_params ->> '?session'
        when p_field = 'chunk.codes' then p_params ->> '?codes'
        when p_field = 'state.watermark' then headgate._request_time(p_state.watermark)
        when p_field = 'state.since' then headgate._request_time(headgate._since(p_asset, p_state))
        when p_field = 'state.succeeded_at' then headgate._request_time(p_state.succeeded_at)
        when p_field like 'asset.%' then p_asset.attributes ->> split_part(p_field, '.', 2)
        when p_field like 'param.%' then p_params ->> split_part(p_field, '.', 2)
        when p_field like 'run.%' then p_params -> '?run' ->> split_part(p_field, '.', 2)
        when p_field = 'job.key' then headgate._job_key(p_asset, p_state, p_params)
    end;
$func$;

-- What names a job to the outside: the same in every delivery and retry of its round, so that a provider does once what
-- it is asked twice. A call for a group is one job of the group.
create or replace function headgate._job_key(
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select md5(jsonb_build_array(
        p_params -> '?run', p_params -> '?round', p_state.operation_id,
        case when p_params ? '?codes' then p_asset.group_key else p_asset.asset_id::text end,
        p_params -> '?session', p_params -> '?codes'
    )::text)::uuid::text;
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
        else to_jsonb(headgate._field(p_field, p_asset, p_state, p_params))
    end;
$func$;

-- A template taken apart: runs of text, and fields, {x?} being optional. An empty template is one empty run.
create or replace function headgate._pieces(p_template text)
returns table (nth bigint, literal text, field text, is_optional boolean)
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select m.nth, coalesce(m.found[1], m.found[4]), m.found[2], m.found[3] = '?'
    from regexp_matches(p_template, '([^{]+)|[{]([a-z_]+[.][A-Za-z0-9_]+)([?]?)[}]|([{])', 'g') with ordinality as m (found, nth)
    union all
    select 1, '', null, false
    where p_template = '';
$func$;

-- What is said of a field without a value; null when none is missing.
create or replace function headgate._refusal(
    p_field text,
    p_code text
)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $func$
    select case when p_field is not null then format('the template field {%s} has no value for %s', p_field, p_code) end;
$func$;

-- A template filled in for a body. A field without a value: null when it is optional, otherwise an error that names it.
create or replace function headgate._render(
    p_template text,
    p_asset headgate.assets,
    p_state headgate.asset_processing_state,
    p_params jsonb
)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_result text := '';
    v_piece record;
begin
    for v_piece in
        select
            p.field,
            p.is_optional,
            case when p.field is null then p.literal else headgate._field(p.field, p_asset, p_state, p_params) end as value
        from headgate._pieces(p_template) as p
        order by p.nth
    loop
        if v_piece.value is null and v_piece.is_optional then
            return null;
        elsif v_piece.value is null then
            perform headgate._raise(
                'HG017',
                headgate._refusal(v_piece.field, p_asset.code),
                'give the asset that attribute, or mark the field {...?} to leave the parameter out'
            );
        end if;
        v_result := v_result || v_piece.value;
    end loop;

    return v_result;
end;
$func$;

-- A JSON body: every string in it is a template, and one that is exactly one field is its value, be it number, list or
-- object.
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
                substring(p_body #>> '{}' from '^[{]([a-z_]+[.][A-Za-z0-9_]+)[?]?[}]$'), p_asset, p_state, p_params
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
