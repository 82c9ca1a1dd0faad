-- p_is_fit: the caller has already checked the function (headgate._is_plainly_fit), once for all assets.
create or replace function headgate._call_due(
    p_function text,
    p_asset_id bigint,
    p_watermark timestamptz,
    p_now timestamptz,
    p_is_fit boolean
)
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $func$
begin
    if p_is_fit is not true then
        perform headgate.require_fit(p_function);
    end if;
    return headgate._due_as_nobody(headgate._checked_name(p_function), p_asset_id, p_watermark, p_now);
end;
$func$;

create or replace function headgate._due_as_nobody(
    p_name text,
    p_asset_id bigint,
    p_watermark timestamptz,
    p_now timestamptz
)
returns timestamptz
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_due_at timestamptz;
begin
    execute format('select %s($1, $2, $3)', p_name) into v_due_at using p_asset_id, p_watermark, p_now;
    return v_due_at;
end;
$func$;

-- Owned by headgate_nobody. The new owner of a function needs the right to create in the schema, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._due_as_nobody(text, bigint, timestamptz, timestamptz) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
