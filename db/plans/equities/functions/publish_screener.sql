-- Rebuilds all rows of the screener at once and compares them with the previous ones: if they look wrong, the previous
-- ones stay. So do those of an exchange whose last session publish_prices holds back. A currency whose rate is needed
-- becomes an asset of the universe `fx`, so that the next run of data_collection_equities loads it; no rate is loaded
-- before a listing needs it.

create or replace function equities.publish_screener(
    p_pipeline text,
    p_run_id text
)
returns table (
    is_published boolean,
    listings bigint,
    reason text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $func$
declare
    v_now constant timestamptz := headgate.clock();
    v_held constant text[] := equities._held_groups();
    v_asset_ids bigint[];
    v_prices double precision[];
begin
    perform headgate.upsert_assets('fx', equities._wanted_pairs());

    select array_agg(s.asset_id), array_agg(s.price_usd) into v_asset_ids, v_prices from equities.screener as s;
    begin
        delete from equities.screener as s where s.group_key <> all (v_held);
        insert into equities.screener
        select r.* from equities._screener_rows(v_now) as r where r.group_key <> all (v_held);
        select count(*) into listings from equities.screener;
        reason := equities._screener_fault(v_asset_ids, v_prices);
        if reason is not null then
            raise exception using errcode = 'raise_exception', message = reason;
        end if;
        is_published := true;
        if v_held <> '{}' then
            reason := 'unchanged, because their prices are held back: ' || array_to_string(v_held, ', ');
        end if;
        perform headgate.resolve_alert('screener');
    exception
        when raise_exception then
            is_published := false;
            perform headgate.raise_alert('error', 'screener', 'the screener was not published: ' || reason);
    end;

    return next;
end;
$func$;

comment on function equities.publish_screener(text, text) is
    'Rebuild and publish the screener''s rows; if they look wrong the previous ones stay, and the reason is returned.';

-- Why the new rows must not be shown; null if they may.
create or replace function equities._screener_fault(
    p_asset_ids bigint[],
    p_prices double precision[]
)
returns text
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select case
        when count(s.asset_id) < 0.9 * count(*)
            then format('%s of %s listings are left', count(s.asset_id), count(*))
        when count(*) filter (where greatest(s.price_usd / o.price, o.price / s.price_usd) > 50) > 0.01 * count(*)
            then format(
                '%s of %s prices are more than 50 times what they were, or less than a 50th',
                count(*) filter (where greatest(s.price_usd / o.price, o.price / s.price_usd) > 50), count(*)
            )
    end
    from unnest(p_asset_ids, p_prices) as o (asset_id, price)
    left join equities.screener as s using (asset_id);
$func$;

comment on function equities._screener_fault(bigint[], double precision[]) is
    'What is wrong with the screener''s rows, compared with the previous prices in US dollars.';

-- Exchanges whose newest session failed a check of severity error and so is not published; all exchanges if a check
-- raised.
create or replace function equities._held_groups()
returns text[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select array(
        select split_part(r.subject, ' ', 1)
        from (
            select distinct on (r.name, r.subject) r.subject, r.status
            from headgate.v_check_results as r
            where r.pipeline = 'data_collection_equities'
                and r.subject <> ''
            order by r.name, r.subject, r.result_id desc
        ) as r
        left join equities.publications as p on p.group_key = split_part(r.subject, ' ', 1)
        where r.status = 'failed'
            and split_part(r.subject, ' ', 2)::date > coalesce(p.published_to, '-infinity')
        union
        select a.group_key
        from headgate.v_assets as a
        where a.universe = 'equities_exchanges'
            and exists (
                select
                from headgate.v_checks as c
                where c.pipeline = 'data_collection_equities'
                    and c.status = 'errored'
            )
        order by 1
    );
$func$;

comment on function equities._held_groups() is 'Exchanges whose newest session is held back by its checks.';

-- The currency pairs that listings with indicators need.
create or replace function equities._wanted_pairs()
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $func$
    select coalesce(jsonb_agg(jsonb_build_object(
        'code', c.currency || 'USD.FOREX',
        'group_key', 'FOREX',
        'attributes', jsonb_build_object('currency', c.currency)
    )), '[]')
    from (
        select distinct q.currency
        from equities.technical_indicators as t
        join headgate.v_assets as a using (asset_id)
        cross join lateral equities._quotation(a.attributes ->> 'currency') as q (currency, factor)
        where q.currency <> 'USD'
    ) as c;
$func$;

comment on function equities._wanted_pairs() is 'The assets of the universe fx, as headgate.upsert_assets takes them.';
