-- Turns one /bulk-fundamentals answer into the fundamentals of each listing that it holds. It lacks funds and listings
-- unknown to the provider: these get no row, and are requested alone next time.

create or replace function equities.ingest_fundamentals_batch(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_asset_ids bigint[];
    v_payloads text[];
begin
    select array_agg(c.asset_id order by c.asset_id), array_agg(c.payload order by c.asset_id)
    into v_asset_ids, v_payloads
    from equities._companies_of_batch(p_asset_ids, p_payloads[1]) as c;

    return query
    select r.* from equities.ingest_fundamentals(p_context, v_asset_ids, v_payloads) as r where v_asset_ids is not null;
exception
    -- Not JSON, or not an object: no listing is at fault, and all stay due.
    when data_exception or statement_too_complex then
        raise warning 'the answer for % is not an object of companies: %',
            p_context ->> 'group_key', left(sqlerrm, 200);
end;
$func$;

comment on function equities.ingest_fundamentals_batch(jsonb, bigint[], text[]) is
    'Ingest function of fundamentals_batch: one answer for many listings becomes the fundamentals of each.';

create or replace function equities._companies_of_batch(
    p_asset_ids bigint[],
    p_payload text
)
returns table (asset_id bigint, payload text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    -- The answer is an object whose keys are numbers.
    with wanted as materialized (
        select a.asset_id, a.code, a.group_key from headgate.v_assets as a where a.asset_id = any (p_asset_ids)
    ),
    answered as materialized (
        select (e.company #>> '{General,Code}') || '.' || g.group_key as code, e.company::text as payload
        from json_each(p_payload::json) as e (place, company)
        cross join (select distinct w.group_key from wanted as w) as g
        where json_typeof(e.company) = 'object'
    )
    select distinct on (w.asset_id) w.asset_id, b.payload
    from wanted as w
    join answered as b using (code)
    order by w.asset_id;
$func$;

comment on function equities._companies_of_batch(bigint[], text) is
    'The fundamentals of some listings on a page of many, each as the object that a call of its own would return.';
