-- How the core calls a function that rows name. Its own it calls as itself. A plan's function must be fit (headgate._misfit), and is
-- called by a role that may do nothing but that: whatever somebody makes of the function meanwhile (its text, its defaults, casts
-- of its types, triggers put off to the end), it has no rights but the plan's own.

create or replace function headgate._call_ingest(
    p_function text,
    p_context jsonb,
    p_asset_ids bigint[],
    p_answers anyarray
)
returns headgate.ingest_result[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_query constant text := format('select array_agg(r) from %s($1, $2, $3) as r', headgate._checked_name(p_function));
    v_results headgate.ingest_result[];
begin
    if p_function not like 'headgate.%' then
        perform headgate.require_fit(p_function);
        return headgate._ingest_as_nobody(v_query, p_context, p_asset_ids, p_answers);
    end if;
    execute v_query into v_results using p_context, p_asset_ids, p_answers;
    return v_results;
end;
$func$;

-- Who asks for many assets has looked already (headgate._is_plainly_fit), once for all of them: p_is_fit.
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

-- Its rows, as JSON.
create or replace function headgate._call_step(
    p_function text,
    p_pipeline text,
    p_run_id text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_query constant text := format(
        'select jsonb_agg(to_jsonb(t)) from (select * from %s(p_pipeline => $1, p_run_id => $2) limit 1000) as t',
        headgate._checked_name(p_function)
    );
    v_rows jsonb;
begin
    if p_function not like 'headgate.%' then
        perform headgate.require_fit(p_function);
        return headgate._step_as_nobody(v_query, p_pipeline, p_run_id);
    end if;
    execute v_query into v_rows using p_pipeline, p_run_id;
    return v_rows;
end;
$func$;

create or replace function headgate._ingest_as_nobody(
    p_query text,
    p_context jsonb,
    p_asset_ids bigint[],
    p_answers anyarray
)
returns headgate.ingest_result[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_results headgate.ingest_result[];
begin
    execute p_query into v_results using p_context, p_asset_ids, p_answers;
    set constraints all immediate;  -- before 18 a trigger that is put off runs as whoever has logged in
    return v_results;
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

create or replace function headgate._step_as_nobody(
    p_query text,
    p_pipeline text,
    p_run_id text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_rows jsonb;
begin
    execute p_query into v_rows using p_pipeline, p_run_id;
    set constraints all immediate;
    return v_rows;
end;
$func$;

-- They are nobody's. Who is given a function must be allowed to make one there, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._ingest_as_nobody(text, jsonb, bigint[], anyarray) owner to headgate_nobody;
alter function headgate._due_as_nobody(text, bigint, timestamptz, timestamptz) owner to headgate_nobody;
alter function headgate._step_as_nobody(text, text, text) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
