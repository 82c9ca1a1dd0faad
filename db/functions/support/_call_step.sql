-- Call a step's function; returns its rows as JSON.

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

-- Owned by headgate_nobody. The new owner of a function needs the right to create in the schema, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._step_as_nobody(text, text, text) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
