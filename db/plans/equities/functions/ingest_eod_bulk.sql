-- Turns one EODHD /eod-bulk-last-day answer, all bars of an exchange and day, into the bars of a chunk's listings.
--
-- The answer is the payload of the first listing that has one. Bars of tickers outside the chunk are dropped. A listing
-- that the answer lacks gets no row here, so it has not succeeded and stays due. So does a listing whose history waits
-- to be reloaded, because a bar from after a split must not join bars from before it. A listing that is requested alone
-- because bulk answers lacked it is not read here; but if this answer has it, the next bulk call may serve it.

create or replace function equities.ingest_eod_bulk(
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
    v_payload constant text := (
        select u.payload from unnest(p_payloads) as u (payload) where u.payload is not null limit 1
    );
    v_asset_ids bigint[];
    v_payloads text[];
begin
    select array_agg(b.asset_id order by b.asset_id), array_agg(b.payload order by b.asset_id)
    into v_asset_ids, v_payloads
    from equities._bulk_bars(p_asset_ids, v_payload) as b;

    return query
    select r.* from equities.ingest_prices(p_context, v_asset_ids, v_payloads) as r where v_asset_ids is not null;
    perform equities._trust_bulk(p_asset_ids, v_payload);
exception
    -- Not JSON, or not an array: no listing is at fault, and all stay due.
    when data_exception or statement_too_complex then
        raise warning 'the answer for % is not an array of bars: %', p_context ->> 'group_key', left(sqlerrm, 200);
end;
$func$;

comment on function equities.ingest_eod_bulk(jsonb, bigint[], text[]) is
    'Ingest function of eod_bulk: one answer for an exchange and day becomes one bar for each listing of the chunk.';

create or replace function equities._bulk_bars(
    p_asset_ids bigint[],
    p_payload text
)
returns table (asset_id bigint, payload text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    with wanted as materialized (
        select a.asset_id, a.code, a.group_key
        from headgate.v_assets as a
        where a.asset_id = any (p_asset_ids)
            and not exists (
                select from equities.corporate_actions as c where c.asset_id = a.asset_id and c.applied_at is null
            )
    ),
    answered as materialized (
        select (e.bar ->> 'code') || '.' || g.group_key as code, e.bar
        from json_array_elements(p_payload::json) as e (bar)
        cross join (select distinct w.group_key from wanted as w) as g
        where json_typeof(e.bar) = 'object'
    )
    select w.asset_id, '[' || string_agg(b.bar::text, ',') || ']'
    from wanted as w
    join answered as b using (code)
    group by w.asset_id;
$func$;

comment on function equities._bulk_bars(bigint[], text) is
    'The bars of some listings in the answer of a whole exchange, each listing''s as an array.';

create or replace function equities._trust_bulk(
    p_asset_ids bigint[],
    p_payload text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_others constant bigint[] := array(
        select s.asset_id
        from headgate.v_asset_states as s
        join headgate.v_assets as a using (asset_id)
        where s.operation = 'prices_incremental'
            and s.bulk_misses > 0
            and a.group_key = (select g.group_key from headgate.v_assets as g where g.asset_id = p_asset_ids[1])
            and a.asset_id <> all (p_asset_ids)
    );
begin
    if v_others <> '{}' then
        perform headgate.trust_bulk(
            'prices_incremental', array(select b.asset_id from equities._bulk_bars(v_others, p_payload) as b)
        );
    end if;
end;
$func$;

comment on function equities._trust_bulk(bigint[], text) is
    'Let bulk calls serve listings that were requested alone again, if an answer for their exchange has them after '
    'all.';
