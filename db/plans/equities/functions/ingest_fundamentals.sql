-- Turns EODHD's /fundamentals answers into rows, one each time a company's data differ from the row stored last.

create or replace function equities.ingest_fundamentals(
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
begin
    return query
    select m.* from equities._merge_fundamentals(p_context, p_asset_ids, p_payloads) as m;
exception
    -- One of the answers is not JSON, or holds a value that jsonb cannot store: take them one by one.
    when data_exception or program_limit_exceeded or statement_too_complex then
        for i in 1..cardinality(p_asset_ids) loop
            begin
                return query
                select m.* from equities._merge_fundamentals(p_context, p_asset_ids[i : i], p_payloads[i : i]) as m;
            exception
                when data_exception or program_limit_exceeded or statement_too_complex then
                    return next row(
                        p_asset_ids[i], 'failed', 0, null, 'the answer cannot be read: ' || left(sqlerrm, 200)
                    )::headgate.ingest_result;
            end;
        end loop;
end;
$func$;

comment on function equities.ingest_fundamentals(jsonb, bigint[], text[]) is
    'Ingest function of fundamentals_bulk: stores an answer if it differs from the listing''s last one.';

create or replace function equities._merge_fundamentals(
    p_context jsonb,
    p_asset_ids bigint[],
    p_payloads text[]
)
returns setof headgate.ingest_result
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
begin
    return query
    with answers as materialized (
        select a.asset_id, a.payload::jsonb as payload
        from unnest(p_asset_ids, p_payloads) as a (asset_id, payload)
    ),
    hashed as materialized (
        select a.asset_id, a.payload, sha256(convert_to(a.payload::text, 'UTF8')) as content_hash
        from answers as a
        where jsonb_typeof(a.payload -> 'General') = 'object'
    ),
    changed as (
        insert into equities.fundamentals as f (asset_id, fetched_at, content_hash, payload)
        select h.asset_id, v_now, h.content_hash, h.payload
        from hashed as h
        left join lateral (
            select f.content_hash
            from equities.fundamentals as f
            where f.asset_id = h.asset_id
            order by f.fetched_at desc
            limit 1
        ) as l on true
        where l.content_hash is distinct from h.content_hash
        order by h.asset_id
        on conflict (asset_id, fetched_at) do update
        set content_hash = excluded.content_hash,
            payload = excluded.payload
        returning f.asset_id
    )
    select
        a.asset_id,
        case when h.asset_id is null then 'failed' else 'success' end,
        case when c.asset_id is null then 0 else 1 end,
        case when h.asset_id is not null then v_now end,
        case when h.asset_id is null then 'the answer has no General' end
    from answers as a
    left join hashed as h using (asset_id)
    left join changed as c using (asset_id);
end;
$func$;

comment on function equities._merge_fundamentals(jsonb, bigint[], text[]) is
    'Write changed fundamentals; raises if an answer cannot be read.';
