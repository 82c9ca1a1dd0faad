-- How the core calls a function that rows name. Its own it calls as itself. A plan's function must be fit
-- (headgate._misfit), and is called by a role that may do nothing else: whatever somebody makes of the function
-- meanwhile (its text, its defaults, casts of its types, triggers deferred to the end), it has no rights but the plan's
-- own.

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
        if not headgate._is_plainly_fit(p_function) then  -- one call less for each completion
            perform headgate.require_fit(p_function);
        end if;
        return headgate._ingest_as_nobody(v_query, p_context, p_asset_ids, p_answers);
    end if;
    execute v_query into v_results using p_context, p_asset_ids, p_answers;
    return v_results;
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

-- It is nobody's. Who is given a function must be allowed to make one there, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._ingest_as_nobody(text, jsonb, bigint[], anyarray) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
