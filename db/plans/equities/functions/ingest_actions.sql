-- Turns EODHD's answers of eod-bulk-last-day with type=splits or dividends into corporate actions. Each new action of a
-- listing whose history was loaded makes that history stale, and it is reloaded once. The provider reports some actions
-- twice, on two days: the same ratio or amount a few days apart is the same action.

create or replace function equities.ingest_actions(
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
    v_now constant timestamptz := coalesce((p_context ->> 'now')::timestamptz, headgate.clock());
    v_stale bigint[];
begin
    return query
    with told as materialized (
        select t.* from equities._told_actions(p_asset_ids, p_payloads) as t
    ),
    written as (
        insert into equities.corporate_actions as c (asset_id, ex_date, kind, ratio, amount, currency, seen_at)
        select distinct on (t.listing_id, t.ex_date, t.kind)
            t.listing_id, t.ex_date, t.kind, t.ratio, t.amount, t.currency, v_now
        from told as t
        where t.kind is not null
            and not exists (
                select
                from equities.corporate_actions as o
                where o.asset_id = t.listing_id
                    and o.kind = t.kind
                    and (o.ratio, o.amount) is not distinct from (t.ratio, t.amount)
                    and abs(o.ex_date - t.ex_date) <= equities._setting('same_action_days')
            )
        order by t.listing_id, t.ex_date, t.kind
        on conflict do nothing
        returning c.asset_id, c.ex_date
    )
    select
        d.asset_id,
        'success',
        (
            select count(*)::integer
            from written as w
            join told as t on t.listing_id = w.asset_id and t.ex_date = w.ex_date
            where t.day_id = d.asset_id
        ),
        (d.attributes ->> 'session')::timestamp at time zone 'UTC',
        (
            select format('%s of its lines not understood', count(*))
            from told as t
            where t.day_id = d.asset_id and t.kind is null
            having count(*) > 0
        )
    from headgate.v_assets as d
    where d.asset_id = any (p_asset_ids);

    v_stale := array(
        select distinct c.asset_id
        from equities.corporate_actions as c
        where c.applied_at is null
            and c.seen_at = v_now
            and c.ex_date <= (v_now at time zone 'UTC')::date
        order by c.asset_id
    );
    if v_stale <> '{}' then
        perform headgate.ask_again('prices_historical', v_stale, array_fill(v_now, array[cardinality(v_stale)]));
    end if;
end;
$func$;

comment on function equities.ingest_actions(jsonb, bigint[], text[]) is
    'Ingest function of splits_bulk and dividends_bulk: stores new actions, each of which makes its listing''s '
    'history stale.';

-- One row for each line that concerns a loaded listing or cannot be understood (kind null).
create or replace function equities._told_actions(
    p_asset_ids bigint[],
    p_payloads text[]
)
returns table (
    day_id bigint, listing_id bigint, ex_date date, kind text, ratio double precision, amount double precision,
    currency text
)
language sql
stable
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
as $func$
    with lines as materialized (
        select
            d.asset_id as day_id,
            (e.line ->> 'code') || '.' || d.group_key as code,
            e.line,
            (e.line ->> 'date') ~ '^\d{4}-\d{2}-\d{2}$' as is_dated,
            regexp_match(e.line ->> 'split', '^\s*(\d+(?:[.]\d+)?)\s*/\s*(\d+(?:[.]\d+)?)\s*$')::double precision[]
                as shares,
            case
                when e.line ->> 'dividend' ~ '^\d+([.]\d+)?([eE]-?\d+)?$'
                    then (e.line ->> 'dividend')::double precision
            end as paid
        from unnest(p_asset_ids, p_payloads) as u (asset_id, payload)
        join headgate.v_assets as d using (asset_id)
        cross join lateral jsonb_array_elements(u.payload::jsonb) as e (line)
    ),
    understood as (
        select
            l.*,
            case
                when not coalesce(l.is_dated, false) then null
                when l.shares[1] > 0 and l.shares[2] > 0 then 'split'
                when l.paid > 0 then 'dividend'
            end as kind
        from lines as l
    )
    select
        n.day_id, s.asset_id, case when n.is_dated then (n.line ->> 'date')::date end, n.kind,
        case when n.kind = 'split' then n.shares[1] / n.shares[2] end,
        case when n.kind = 'dividend' then n.paid end,
        nullif(n.line ->> 'currency', '')
    from understood as n
    left join headgate.v_asset_states as s
        on s.universe = 'equities'
        and s.asset = n.code
        and s.operation = 'prices_historical'
        and s.succeeded_at is not null
    where n.kind is null
        or s.asset_id is not null;
$func$;

comment on function equities._told_actions(bigint[], text[]) is
    'The splits and dividends of many answers that concern loaded listings, and the lines that cannot be understood.';
