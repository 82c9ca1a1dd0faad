-- The equities plan as rows: a provider and its operations, two pipelines, checks, 21,817 listings and their sessions.
-- Applied again whenever this file or the data change. What operators set through headgate.set_provider is left alone.

-- 100,000 units a day, of which 10,000 stay untouched; 1,000 requests a minute, whatever they cost.
insert into headgate.providers as p (
    name, description, base_url, auth, secret_name, quota, quota_buffer, quota_period, quota_zone, requests_per_minute,
    max_in_flight, publication_lag
)
values (
    'eodhd', 'EOD Historical Data: end-of-day prices and fundamentals.', 'https://eodhd.com/api',
    '{"in": "query", "name": "api_token"}', 'EODHD_API_TOKEN', 100000, 10000, 'day', 'UTC', 1000,
    50, '3 hours'
)
on conflict (name) do update
set description = excluded.description,
    auth = excluded.auth,
    quota_period = excluded.quota_period,
    quota_zone = excluded.quota_zone;

-- US data are there 15 minutes after the close. The Frankfurt floor trades until 22:00, 4.5 hours longer than its
-- calendar says.
delete from headgate.publication_lags as l
using headgate.providers as p
where p.provider_id = l.provider_id
    and p.name = 'eodhd';

insert into headgate.publication_lags (provider_id, calendar, lag)
select p.provider_id, l.calendar, l.lag
from headgate.providers as p
cross join (values
    ('XNYS', interval '15 minutes'),
    ('XFRA', interval '7 hours 30 minutes')
) as l (calendar, lag)
where p.name = 'eodhd';

-- How answers are read, before the usual rules. Errors are plain text or HTML whatever was asked for, so nothing but a JSON 200 is a
-- payload. EODHD does not charge for answers that are HTTP errors; of an unknown symbol it says that, and the opposite, too.
delete from headgate.response_rules as r
using headgate.providers as p
where p.provider_id = r.provider_id
    and p.name = 'eodhd';

insert into headgate.response_rules (
    provider_id, position, status, content_type, body, outcome, blame, close, charged, reason
)
select p.provider_id, r.position, r.status, r.content_type, r.body, r.outcome, r.blame, r.close, r.charged, r.reason
from headgate.providers as p
cross join (values
    (1, '*', null, '^"?Unauthenticated', 'deferred', 'house', 'execution', false, 'the provider refuses the token'),
    (2, '401', null, null, 'deferred', 'house', 'execution', false, 'the provider refuses the token'),
    (3, '402', null, null, 'deferred', 'quota', 'reset', false, 'the daily quota is used up'),
    (4, '*', null, '^"?You exceeded your daily', 'deferred', 'quota', 'reset', false, 'the daily quota is used up'),
    (5, '403', null, null, 'deferred', 'house', 'execution', false, 'the provider refuses the token'),
    (6, '429', null, null, 'retry', 'quota', 'retry_after', false, 'too many requests in a minute'),
    (7, '404', null, null, 'failed', 'item', null, true, 'unknown to the provider'),
    (8, '200', 'json', '"warning": ?"Data is limited', 'deferred', 'house', 'execution', true,
        'the token''s subscription cuts histories to one year'),
    (9, '200', 'json', null, 'success', 'item', null, true, 'data'),
    (10, '200', null, null, 'retry', 'provider', null, true, 'an answer that is no JSON: maintenance'),
    (11, '500-599', null, null, 'retry', 'provider', null, false, 'the provider is in trouble'),
    (12, '300-399', null, null, 'failed', 'provider', null, false, 'redirected: the base URL has moved'),
    (13, '400-499', null, null, 'failed', 'item', null, false, 'the provider refuses the request')
) as r (position, status, content_type, body, outcome, blame, close, charged, reason)
where p.name = 'eodhd';

-- Updates go before new listings: their data are missed today. A price call costs one unit, whatever range it asks for.
-- An update asks for the last five sessions again, because bars are corrected for days after they came.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, bundle, due_rule, chunk_size,
    path, query, timeout, ingest_function, handler, input_function
)
select
    n.name, n.description, 'equities', p.provider_id, n.units, n.priority, n.bundle, n.due_rule, n.chunk_size,
    n.path, n.query::jsonb, n.timeout, n.ingest_function, n.handler, n.input_function
from (values
    ('fundamentals_bulk', 'All that is known of a company; one call per listing.',
        'eodhd', 10, 5, 'new_listing', 'once', 50,
        '/fundamentals/{asset.code}', '{"fmt": "json"}', interval '60 seconds', 'equities.ingest_fundamentals', null, null),
    ('prices_historical', 'All daily bars of a listing.', 'eodhd', 1, 5, 'new_listing', 'once', 50,
        '/eod/{asset.code}', '{"fmt": "json", "period": "d"}', interval '60 seconds', 'equities.ingest_history', null, null),
    ('prices_incremental', 'Daily bars from the watermark on.', 'eodhd', 1, 2, null, 'session', 200,
        '/eod/{asset.code}', '{"fmt": "json", "period": "d", "from": "{state.since?}"}', interval '30 seconds',
        'equities.ingest_prices', null, null),
    ('indicators_calculation', 'Technical indicators from daily bars.', 'local', 0, 4, null, 'after', 250,
        null, '{}', interval '5 minutes', 'equities.ingest_indicators', 'runner.indicators.handler:calculate',
        'equities.bars_for_indicators')
) as n (
    name, description, provider, units, priority, bundle, due_rule, chunk_size, path, query, timeout,
    ingest_function, handler, input_function
)
join headgate.providers as p on p.name = n.provider
on conflict (name) do update
set description = excluded.description,
    universe = excluded.universe,
    provider_id = excluded.provider_id,
    units = excluded.units,
    priority = excluded.priority,
    bundle = excluded.bundle,
    due_rule = excluded.due_rule,
    chunk_size = excluded.chunk_size,
    path = excluded.path,
    query = excluded.query,
    timeout = excluded.timeout,
    ingest_function = excluded.ingest_function,
    handler = excluded.handler,
    input_function = excluded.input_function;

update headgate.operations as o
set overlap = 5
where o.name = 'prices_incremental'
    and o.overlap = 0;

update headgate.operations as o
set follows_operation_id = h.operation_id
from headgate.operations as h
where o.name = 'prices_incremental'
    and h.name = 'prices_historical';

-- One call for all listings of an exchange and one session: 100 units, whatever their number. Lisbon's 74 are cheaper one by one.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, due_rule, path, query, timeout, ingest_function,
    alternative_of_operation_id
)
select
    'eod_bulk', 'Daily bars of a whole exchange for one session.', n.universe, n.provider_id, 100, n.priority, n.due_rule,
    '/eod-bulk-last-day/{asset.group_key}', '{"fmt": "json", "date": "{chunk.session}"}', interval '2 minutes',
    'equities.ingest_eod_bulk', n.operation_id
from headgate.operations as n
where n.name = 'prices_incremental'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    priority = excluded.priority,
    path = excluded.path,
    query = excluded.query,
    timeout = excluded.timeout,
    ingest_function = excluded.ingest_function,
    alternative_of_operation_id = excluded.alternative_of_operation_id;

-- Fundamentals of up to 500 listings by one call: 100 units, and one for each. Only some accounts have it; it knows stocks alone, and
-- their last four quarters and years.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, units_per_asset, page_size, feature, priority, due_rule, path, query,
    timeout, ingest_function, alternative_of_operation_id
)
select
    'fundamentals_page', 'What is known of up to 500 companies of an exchange, by one call.', n.universe, n.provider_id, 100, 1,
    500, 'bulk_fundamentals', n.priority, n.due_rule, '/bulk-fundamentals/{asset.group_key}',
    '{"fmt": "json", "version": "1.2", "symbols": "{chunk.codes}"}', interval '5 minutes',
    'equities.ingest_fundamentals_page', n.operation_id
from headgate.operations as n
where n.name = 'fundamentals_bulk'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    units_per_asset = excluded.units_per_asset,
    page_size = excluded.page_size,
    feature = excluded.feature,
    priority = excluded.priority,
    path = excluded.path,
    query = excluded.query,
    timeout = excluded.timeout,
    ingest_function = excluded.ingest_function,
    alternative_of_operation_id = excluded.alternative_of_operation_id;

insert into equities.settings (name, value, description)
values
    ('most_bars_lost', 0.05, 'A restated history that would lose more than this share of its bars is refused: it has been cut.'),
    ('same_action_days', 4, 'A split or dividend told again within so many days, with the same figure, is the same.'),
    ('days_watched', 45, 'So many days ahead the sessions of exchanges with loaded histories become assets.'),
    ('hole_days', 30, 'Sessions without a bar are looked for in so many days.'),
    ('hole_tries', 5, 'A hole that the provider has not filled after so many tries is a known gap.'),
    ('most_silent_sessions', 5, 'A listing that does not trade is asked for after so many sessions at the latest.'),
    ('most_listings_gone', 0.02, 'A symbol list that lacks more than this share of our listings, or of its symbols before, is refused.'),
    ('lists_without', 2, 'A listing that so many symbol lists in a row lack has been delisted.'),
    ('code_rests', 7, 'A code that was delisted for more days and has another name now is another company''s, where no ISIN tells.'),
    ('corrections_first', 1, 'A session that one call read for an exchange is read again when so many later are out.'),
    ('corrections_last', 4, 'It is read for the last time when so many later ones are out.'),
    ('corrections_from', 100, 'Exchanges with no more loaded listings are asked for one by one, and not read again.')
on conflict (name) do update
set description = excluded.description;

-- Splits and dividends are asked for by exchange and session; those are assets that exist once a history was loaded.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, due_rule, due_function, chunk_size, path, query, timeout,
    ingest_function
)
select
    n.name, n.description, 'equities_days', p.provider_id, 100, 1, 'function', 'equities.actions_due_at', 10,
    '/eod-bulk-last-day/{asset.group_key}',
    jsonb_build_object('fmt', 'json', 'type', n.type, 'date', '{asset.session}'), interval '60 seconds',
    'equities.ingest_actions'
from (values
    ('splits_bulk', 'All splits of an exchange and session.', 'splits'),
    ('dividends_bulk', 'All dividends of an exchange and session.', 'dividends')
) as n (name, description, type)
join headgate.providers as p on p.name = 'eodhd'
on conflict (name) do update
set description = excluded.description,
    universe = excluded.universe,
    units = excluded.units,
    priority = excluded.priority,
    due_function = excluded.due_function,
    chunk_size = excluded.chunk_size,
    path = excluded.path,
    query = excluded.query,
    timeout = excluded.timeout,
    ingest_function = excluded.ingest_function;

-- Bars are corrected for days after they came, and a call for a whole exchange is one session and has no overlap: such
-- sessions are read again, from what the window has left.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, is_backfill, due_rule, due_function,
    follows_operation_id, chunk_size, path, query, timeout, ingest_function
)
select
    'corrections_bulk', 'A session of an exchange again, for what was corrected since.', s.universe, s.provider_id,
    100, 9, true, 'function', 'equities.corrections_due_at', s.operation_id, 1, '/eod-bulk-last-day/{asset.group_key}',
    '{"fmt": "json", "date": "{asset.session}"}', interval '2 minutes', 'equities.ingest_corrections'
from headgate.operations as s
where s.name = 'splits_bulk'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    priority = excluded.priority,
    is_backfill = excluded.is_backfill,
    due_function = excluded.due_function,
    follows_operation_id = excluded.follows_operation_id,
    chunk_size = excluded.chunk_size,
    path = excluded.path,
    query = excluded.query,
    timeout = excluded.timeout,
    ingest_function = excluded.ingest_function;

-- The list of an exchange's symbols, weekly; an exchange is an asset once one of its histories was loaded.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, due_rule, due_function, chunk_size, path, query, timeout,
    ingest_function
)
select
    'symbol_list', 'All symbols of an exchange, compared with ours.', 'equities_exchanges', p.provider_id, 1, 4, 'function',
    'equities.list_due_at', 10, '/exchange-symbol-list/{asset.code}', '{"fmt": "json"}', interval '60 seconds',
    'equities.ingest_symbol_list'
from headgate.providers as p
where p.name = 'eodhd'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    path = excluded.path,
    query = excluded.query,
    ingest_function = excluded.ingest_function;

-- The account is an asset of its own universe: it is asked for its count of units by a pipeline of its own (equities_account).
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, due_rule, due_every, path, query, ingest_function
)
select
    'account_usage', 'The provider''s own count of the units used today.', 'eodhd_account', p.provider_id, 1, 1, 'every',
    interval '1 minute', '/user', '{"fmt": "json"}', 'equities.ingest_account'
from headgate.providers as p
where p.name = 'eodhd'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    due_every = excluded.due_every,
    path = excluded.path,
    query = excluded.query,
    ingest_function = excluded.ingest_function;

select u.inserted, u.updated, u.unchanged
from headgate.upsert_assets('eodhd_account', '[{"code": "account", "group_key": "account"}]') as u;

-- Rates of exchange: a pair is an asset of its own universe, added by equities.publish_screener once a listing needs it.
insert into headgate.operations as o (
    name, description, universe, provider_id, units, priority, due_rule, due_every, path, query, ingest_function
)
select
    'fx_rates', 'What a currency is worth in US dollars, from the watermark on.', 'fx', p.provider_id, 1, 2, 'every',
    interval '20 hours', '/eod/{asset.code}', '{"fmt": "json", "period": "d", "from": "{state.watermark?}"}',
    'equities.ingest_fx_rates'
from headgate.providers as p
where p.name = 'eodhd'
on conflict (name) do update
set description = excluded.description,
    units = excluded.units,
    due_every = excluded.due_every,
    path = excluded.path,
    query = excluded.query,
    ingest_function = excluded.ingest_function;

insert into headgate.operation_inputs (operation_id, input_operation_id)
select o.operation_id, i.operation_id
from headgate.operations as o
join headgate.operations as i on i.name in ('prices_historical', 'prices_incremental')
where o.name = 'indicators_calculation'
on conflict do nothing;

insert into headgate.pipelines as p (name, description)
values (
    'data_collection_equities',
    'Load what is due for the listed equities, within the provider''s quota, after the US close.'
)
on conflict (name) do update
set description = excluded.description;

delete from headgate.pipeline_parameters as m
using headgate.pipelines as p
where p.pipeline_id = m.pipeline_id
    and p.name = 'data_collection_equities';

insert into headgate.pipeline_parameters (
    pipeline_id, name, type, default_value, allowed, effect, operations, meanings, description
)
select
    p.pipeline_id, m.name, m.type, m.default_value::jsonb, m.allowed, m.effect, m.operations, m.meanings::jsonb,
    m.description
from headgate.pipelines as p
cross join (values
    ('eodhd_daily_quota', 'integer', '100000', null, 'quota', null, null,
        'Units a day may cost, of which eodhd_quota_buffer is not spent.'),
    ('eodhd_quota_buffer', 'integer', '10000', null, 'quota_buffer', null, null,
        'Units that are not spent.'),
    ('max_new_assets_per_day', 'integer', '8000', null, 'max_assets',
        array['fundamentals_bulk', 'prices_historical'], null, 'The most new listings a run takes.'),
    ('max_price_updates_per_day', 'integer', '25000', null, 'max_assets',
        array['prices_incremental'], null, 'The most price updates a run takes.'),
    ('bulk_load_batch_size', 'integer', '500', null, 'chunk_size',
        array['fundamentals_bulk', 'prices_historical'], null, 'The most new listings that travel in one chunk.'),
    ('incremental_batch_size', 'integer', '5000', null, 'chunk_size',
        array['prices_incremental'], null, 'The most price updates that travel in one chunk.'),
    ('mode', 'text', '"auto"', array['auto', 'bulk', 'incremental'], 'mode', null,
        '{"bulk": ["fundamentals_bulk", "prices_historical"], "incremental": ["prices_incremental"]}',
        'auto: all that is due; bulk: only new listings; incremental: only price updates.'),
    ('exchanges', 'list', 'null', null, 'groups', null,
        '{"attribute": "exchange", "advice": "equities.add_exchange adds an exchange to a step (docs/equities.md)"}',
        'Only these: exchange codes (US, LSE) or names (NASDAQ, EURONEXT).'),
    ('tickers', 'list', 'null', null, 'assets', null, null, 'Only these: codes like AAPL.US.')
) as m (name, type, default_value, allowed, effect, operations, meanings, description)
where p.name = 'data_collection_equities';

delete from headgate.pipeline_steps as s
using headgate.pipelines as p
where p.pipeline_id = s.pipeline_id
    and p.name = 'data_collection_equities';

insert into headgate.pipeline_steps (
    pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations, group_keys
)
select
    p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function,
    case
        when s.group_keys is null then s.operations::text[]
        else array[
            'splits_bulk', 'dividends_bulk', 'symbol_list', 'prices_incremental', 'fundamentals_bulk',
            'prices_historical', 'corrections_bulk'
        ]
    end,
    s.group_keys
from headgate.pipelines as p
cross join (values
    (1, 'initialize_execution', 'function', '{}', 'all_success', 'headgate.start_execution', null, null),
    (2, 'discover_delta', 'function', '{initialize_execution}', 'all_success', 'headgate.discover_delta', null, null),
    (3, 'check_api_quota', 'function', '{discover_delta}', 'all_success', 'headgate.check_quota', null, null),
    (4, 'process_us_markets', 'fan_out', '{check_api_quota}', 'all_success', null, null, array['US']),
    (5, 'process_lse', 'fan_out', '{check_api_quota}', 'all_success', null, null, array['LSE']),
    (6, 'process_german_markets', 'fan_out', '{check_api_quota}', 'all_success', null, null, array['F', 'XETRA']),
    (7, 'process_european_markets', 'fan_out', '{check_api_quota}', 'all_success', null, null,
        array['PA', 'AS', 'BR', 'LS', 'MC', 'SW']),
    (8, 'load_fx_rates', 'fan_out', '{check_api_quota}', 'all_success', null, '{fx_rates}', null),
    (9, 'publish_prices', 'function',
        '{process_us_markets,process_lse,process_german_markets,process_european_markets,load_fx_rates}', 'all_done',
        'equities.publish_prices', null, null),
    (10, 'finalize_execution', 'function', '{publish_prices}', 'all_done', 'headgate.finalize_execution', null, null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations, group_keys)
where p.name = 'data_collection_equities';

-- Indicators, and the screener that shows them.
insert into headgate.pipelines as p (name, description)
values ('calculate_indicators', 'Calculate technical indicators where bars have changed, and publish the screener.')
on conflict (name) do update
set description = excluded.description;

delete from headgate.pipeline_steps as s
using headgate.pipelines as p
where p.pipeline_id = s.pipeline_id
    and p.name = 'calculate_indicators';

insert into headgate.pipeline_steps (
    pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations
)
select p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function, s.operations::text[]
from headgate.pipelines as p
cross join (values
    (1, 'initialize_execution', 'function', '{}', 'all_success', 'headgate.start_execution', null),
    (2, 'calculate_indicators', 'fan_out', '{initialize_execution}', 'all_success', null,
        '{indicators_calculation}'),
    (3, 'publish_screener', 'function', '{calculate_indicators}', 'all_success', 'equities.publish_screener', null),
    (4, 'finalize_execution', 'function', '{publish_screener}', 'all_done', 'headgate.finalize_execution', null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations)
where p.name = 'calculate_indicators';

-- Sessions: the file's word for the time it covers, so that a holiday that was announced late disappears here too.
delete from headgate.trading_sessions as t
using (
    select s.calendar, min(s.session) as first_session, max(s.session) as last_session
    from equities.shipped_sessions as s
    group by s.calendar
) as c
where t.calendar = c.calendar
    and t.session between c.first_session and c.last_session
    and not exists (
        select
        from equities.shipped_sessions as s
        where s.calendar = t.calendar
            and s.session = t.session
    );

insert into headgate.trading_sessions as t (calendar, session, opens_at, closes_at, is_early_close)
select s.calendar, s.session, s.opens_at, s.closes_at, s.is_early_close
from equities.shipped_sessions as s
left join headgate.trading_sessions as t using (calendar, session)
where (t.opens_at, t.closes_at, t.is_early_close) is distinct from (s.opens_at, s.closes_at, s.is_early_close)
on conflict (calendar, session) do update
set opens_at = excluded.opens_at,
    closes_at = excluded.closes_at,
    is_early_close = excluded.is_early_close;

-- Listings: the large ones are worth most where the budget is short. One that an operator has put aside stays aside. Of
-- a code that has been renamed, delisted or reused since, the lists know more than the file.
select u.inserted, u.updated, u.unchanged
from headgate.upsert_assets(
    p_universe => 'equities',
    p_assets => (
        select coalesce(jsonb_agg(jsonb_build_object(
            'code', l.code,
            'group_key', l.group_key,
            'calendar', l.calendar,
            'weight', case l.market_cap_bucket
                when 'Mega Cap' then 10000
                when 'Large Cap' then 1000
                when 'Mid Cap' then 100
                when 'Small Cap' then 10
                when 'Micro Cap' then 5
                when 'Nano Cap' then 2
                else 1
            end,
            'is_active', coalesce(a.is_active, true),
            'attributes', jsonb_strip_nulls(jsonb_build_object(
                'exchange', l.exchange,
                'symbol', l.symbol,
                'name', l.name,
                'type', l.type,
                'currency', l.currency,
                'country', l.country,
                'sector', l.sector,
                'isin', l.isin
            ))
        )), '[]')
        from equities.shipped_listings as l
        left join headgate.assets as a on a.universe = 'equities' and a.code = l.code
        where not exists (
            select from equities.listings as v where v.code = l.code and v.valid <> daterange(null, null)
        )
    )
) as u;

-- Each new listing holds its code since before we know; one whose code another has had is left to
-- equities.note_listings.
insert into equities.listings (asset_id, valid, code, group_key, name, isin)
select a.asset_id, daterange(null, null), a.code, a.group_key, a.attributes ->> 'name', a.attributes ->> 'isin'
from headgate.v_assets as a
where a.universe = 'equities'
    and not exists (select from equities.listings as l where l.asset_id = a.asset_id)
    and not exists (select from equities.listings as l where l.code = a.code)
order by a.asset_id;

-- What must hold of a session before it is shown. Without listings to judge by a check has no value, passes, and is
-- named as unjudged: of bars any number will do, of closes 20, because few are no sample.
insert into equities.checks as c (name, description, severity, comparison, threshold, query)
values
    ('bars_there', 'Of the listings that traded in half of the last 20 sessions or more, the share with a bar now.',
        'error', 'at_least', 0.95, 'select avg(b.is_there::integer) from equities.expected_bars($1, $2) as b'),
    ('bars_believed', 'The share of the session''s bars that are believed.', 'error', 'at_least', 0.95,
        'select avg((not b.is_quarantined)::integer) from equities.session_bars($1, $2) as b
        where b.close is not null or b.is_quarantined having count(*) >= 20'),
    ('closes_unchanged', 'The share of closes that are those of the session before: a feed that stands still.', 'error', 'at_most', 0.5,
        'select avg((b.close = b.previous_close)::integer) from equities.session_bars($1, $2) as b
        where b.close is not null and b.previous_close is not null having count(*) >= 20'),
    ('closes_doubled', 'The share of closes more than twice or less than half of those before.', 'warning', 'at_most', 0.02,
        'select avg((b.close not between b.previous_close / 2 and b.previous_close * 2)::integer)
        from equities.session_bars($1, $2) as b
        where b.close is not null and b.previous_close is not null having count(*) >= 20')
on conflict (name) do update
set description = excluded.description,
    comparison = excluded.comparison,
    query = excluded.query;

-- The provider's own count of units, once a day.
insert into headgate.pipelines as p (name, description)
values ('equities_account', 'Take the provider''s own count of the units used into the quota; daily.')
on conflict (name) do update
set description = excluded.description;

delete from headgate.pipeline_steps as s
using headgate.pipelines as p
where p.pipeline_id = s.pipeline_id
    and p.name = 'equities_account';

insert into headgate.pipeline_steps (pipeline_id, step, position, kind, depends_on, trigger_rule, function, operations)
select p.pipeline_id, s.step, s.position, s.kind, s.depends_on::text[], s.trigger_rule, s.function, s.operations::text[]
from headgate.pipelines as p
cross join (values
    (1, 'initialize_execution', 'function', '{}', 'all_success', 'headgate.start_execution', null),
    (2, 'reconcile_quota', 'fan_out', '{initialize_execution}', 'all_success', null, '{account_usage}'),
    (3, 'finalize_execution', 'function', '{reconcile_quota}', 'all_done', 'headgate.finalize_execution', null)
) as s (position, step, kind, depends_on, trigger_rule, function, operations)
where p.name = 'equities_account';
