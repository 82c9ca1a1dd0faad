-- How the core calls a function named in rows. Its own functions run as itself. A plan's function must be valid
-- (headgate._misfit) and is called by a role without rights: whatever becomes of the function meanwhile (its text,
-- defaults, casts of its types, deferred triggers), it has only the plan's rights.

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
        if not headgate._is_plainly_fit(p_function) then  -- saves a call per completion
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
    set constraints all immediate;  -- before PostgreSQL 18 a deferred trigger runs as the session's user
    return v_results;
end;
$func$;

-- Owned by headgate_nobody. The new owner of a function needs the right to create in the schema, for that moment.
grant usage, create on schema headgate to headgate_nobody;
alter function headgate._ingest_as_nobody(text, jsonb, bigint[], anyarray) owner to headgate_nobody;
revoke create on schema headgate from headgate_nobody;
