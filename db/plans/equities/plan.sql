-- The equities plan: a provider and its operations, and three pipelines. Its listings and sessions are in data/.
select headgate.begin_plan('equities');

-- 100,000 units a day, of which 10,000 stay untouched; 1,000 requests a minute, whatever they cost. US data come
-- 15 minutes after the close. The Frankfurt floor trades until 22:00, 4.5 hours longer than its calendar says.
select headgate.put_provider('eodhd', 'https://eodhd.com/api',
    'EOD Historical Data: end-of-day prices and fundamentals.', auth => '{"in": "query", "name": "api_token"}',
    secret_name => 'EODHD_API_TOKEN', quota => 100000, quota_buffer => 10000, quota_period => 'day',
    quota_zone => 'UTC', requests_per_minute => 1000, max_in_flight => 50, publication_lag => '3 hours',
    publication_lags => '{"XNYS": "15 minutes", "XFRA": "7 hours 30 minutes"}');

-- How answers are read. Errors are plain text or HTML whatever format was requested, so only a JSON 200 is a payload.
-- EODHD does not charge for HTTP errors; for an unknown symbol its documentation says both that it charges and that it
-- does not.
select headgate.put_rule('eodhd', '*', 'deferred', 'the provider refuses the token',
    body => '^"?Unauthenticated', fault => 'internal', blocks => 'execution', charged => false);
select headgate.put_rule('eodhd', '401', 'deferred', 'the provider refuses the token',
    fault => 'internal', blocks => 'execution', charged => false);
select headgate.put_rule('eodhd', '402', 'deferred', 'the daily quota is used up', fault => 'quota', blocks => 'reset',
    charged => false);
select headgate.put_rule('eodhd', '*', 'deferred', 'the daily quota is used up',
    body => '^"?You exceeded your daily', fault => 'quota', blocks => 'reset', charged => false);
select headgate.put_rule('eodhd', '403', 'deferred', 'the provider refuses the token',
    fault => 'internal', blocks => 'execution', charged => false);
select headgate.put_rule('eodhd', '429', 'retry', 'too many requests in a minute',
    fault => 'quota', blocks => 'retry_after', charged => false);
select headgate.put_rule('eodhd', '404', 'failed', 'unknown to the provider');
select headgate.put_rule('eodhd', '200', 'deferred', 'the token''s subscription cuts histories to one year',
    content_type => 'json', body => '"warning": ?"Data is limited', fault => 'internal', blocks => 'execution');
select headgate.put_rule('eodhd', '200', 'success', 'data', content_type => 'json');
select headgate.put_rule('eodhd', '200', 'retry', 'an answer that is no JSON: maintenance', fault => 'provider');
select headgate.put_rule('eodhd', '500-599', 'retry', 'the provider is in trouble', fault => 'provider',
    charged => false);
select headgate.put_rule('eodhd', '300-399', 'failed', 'redirected: the base URL has moved', fault => 'provider',
    charged => false);
select headgate.put_rule('eodhd', '400-499', 'failed', 'the provider refuses the request', charged => false);

-- A new listing: all data of the company, and its history, together or not at all.
select headgate.put_operation('fundamentals_bulk', 'equities', due => 'once', provider => 'eodhd',
    description => 'All data of a company; one call per listing.',
    request => 'GET /fundamentals/{asset.code}?fmt=json', units => 10, bundle => 'new_listing', priority => 5,
    chunk_size => 50, timeout => '60 seconds', ingest_function => 'equities.ingest_fundamentals');
select headgate.put_operation('prices_historical', 'equities', due => 'once', provider => 'eodhd',
    description => 'All daily bars of a listing.', request => 'GET /eod/{asset.code}?fmt=json&period=d', units => 1,
    bundle => 'new_listing', priority => 5, chunk_size => 50, timeout => '60 seconds',
    ingest_function => 'equities.ingest_history');

-- Updates go before new listings, because their missing data hurt today. A price call costs one unit, whatever its
-- range. An update requests the last five sessions again, because bars are corrected for days after they arrive.
select headgate.put_operation('prices_incremental', 'equities', due => 'session', provider => 'eodhd',
    description => 'Daily bars from the watermark on.', follows => 'prices_historical', overlap => 5,
    request => 'GET /eod/{asset.code}?fmt=json&period=d&from={state.since?}', units => 1, priority => 2,
    chunk_size => 200, timeout => '30 seconds', ingest_function => 'equities.ingest_prices');
select headgate.put_operation('indicators_calculation', 'equities',
    due => 'after prices_historical, prices_incremental', description => 'Technical indicators from daily bars.',
    priority => 4, chunk_size => 250, timeout => '5 minutes', handler => 'indicators',
    input_function => 'equities.bars_for_indicators', ingest_function => 'equities.ingest_indicators');

-- One call for all listings of an exchange and one session costs 100 units, whatever their number. Lisbon's 74 are
-- cheaper one by one.
select headgate.put_operation('eod_bulk', 'equities', due => 'session', provider => 'eodhd',
    bulk_call_of => 'prices_incremental', description => 'Daily bars of a whole exchange for one session.',
    request => 'GET /eod-bulk-last-day/{asset.group_key}?fmt=json&date={chunk.session}', units => 100, priority => 2,
    timeout => '2 minutes', ingest_function => 'equities.ingest_eod_bulk');

-- Fundamentals of up to 500 listings by one call: 100 units, plus one for each. Only some accounts have it; it serves
-- stocks only, and only their last four quarters and years.
select headgate.put_operation('fundamentals_batch', 'equities', due => 'once', provider => 'eodhd',
    bulk_call_of => 'fundamentals_bulk',
    description => 'Data of up to 500 companies of an exchange, by one call.',
    request => 'GET /bulk-fundamentals/{asset.group_key}?fmt=json&version=1.2&symbols={chunk.codes}', units => 100,
    units_per_asset => 1, batch_size => 500, feature => 'bulk_fundamentals', priority => 5, timeout => '5 minutes',
    ingest_function => 'equities.ingest_fundamentals_batch');

-- Splits and dividends are loaded by exchange and session; these sessions become assets once a history was loaded.
select headgate.put_operation('splits_bulk', 'equities_days', due => 'function equities.actions_due_at',
    provider => 'eodhd', description => 'All splits of an exchange and session.',
    request => 'GET /eod-bulk-last-day/{asset.group_key}?fmt=json&type=splits&date={asset.session}', units => 100,
    priority => 1, chunk_size => 10, timeout => '60 seconds', ingest_function => 'equities.ingest_actions');
select headgate.put_operation('dividends_bulk', 'equities_days', due => 'function equities.actions_due_at',
    provider => 'eodhd', description => 'All dividends of an exchange and session.',
    request => 'GET /eod-bulk-last-day/{asset.group_key}?fmt=json&type=dividends&date={asset.session}', units => 100,
    priority => 1, chunk_size => 10, timeout => '60 seconds', ingest_function => 'equities.ingest_actions');

-- Bars are corrected for days after they first arrive, and a call for a whole exchange covers one session and has no
-- overlap. So these sessions are read again, with the units that the window has left.
select headgate.put_operation('corrections_bulk', 'equities_days', due => 'function equities.corrections_due_at',
    provider => 'eodhd', description => 'Read a session of an exchange again, for later corrections.',
    follows => 'splits_bulk', is_backfill => true,
    request => 'GET /eod-bulk-last-day/{asset.group_key}?fmt=json&date={asset.session}', units => 100, priority => 9,
    chunk_size => 1, timeout => '2 minutes', ingest_function => 'equities.ingest_corrections');

-- The list of an exchange's symbols, weekly; an exchange becomes an asset once one of its histories was loaded.
select headgate.put_operation('symbol_list', 'equities_exchanges', due => 'function equities.list_due_at',
    provider => 'eodhd', description => 'All symbols of an exchange, compared with ours.',
    request => 'GET /exchange-symbol-list/{asset.code}?fmt=json', units => 1, priority => 4, chunk_size => 10,
    timeout => '60 seconds', ingest_function => 'equities.ingest_symbol_list');

-- The account is an asset of its own universe; a pipeline of its own reads its count of units.
select headgate.put_operation('account_usage', 'eodhd_account', due => 'every 1 minute', provider => 'eodhd',
    description => 'The provider''s own count of the units used today.',
    request => 'GET /user?fmt=json', units => 1, priority => 1, ingest_function => 'equities.ingest_account');

-- Exchange rates: a pair is an asset of its own universe, added by equities.publish_screener once a listing needs it.
select headgate.put_operation('fx_rates', 'fx', due => 'every 20 hours', provider => 'eodhd',
    description => 'What a currency is worth in US dollars, from the watermark on.',
    request => 'GET /eod/{asset.code}?fmt=json&period=d&from={state.watermark?}', units => 1, priority => 2,
    ingest_function => 'equities.ingest_fx_rates');

-- The daily update. Each step loads everything that the listings of its exchanges need.
select headgate.put_pipeline('data_collection_equities',
    'Load what is due for the listed equities, within the provider''s quota, after the US close.');
select headgate.put_step('data_collection_equities', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('data_collection_equities', 'discover_delta', function => 'headgate.discover_delta',
    depends_on => '{initialize_execution}');
select headgate.put_step('data_collection_equities', 'check_api_quota', function => 'headgate.check_quota',
    depends_on => '{discover_delta}');
select headgate.put_step('data_collection_equities', s.step, group_keys => s.group_keys::text[],
    depends_on => '{check_api_quota}',
    operations => array['splits_bulk', 'dividends_bulk', 'symbol_list', 'prices_incremental', 'fundamentals_bulk',
        'prices_historical', 'corrections_bulk'])
from (values
    ('process_us_markets', '{US}'),
    ('process_lse', '{LSE}'),
    ('process_german_markets', '{F,XETRA}'),
    ('process_european_markets', '{PA,AS,BR,LS,MC,SW}')
) as s (step, group_keys);
select headgate.put_step('data_collection_equities', 'load_fx_rates', operations => '{fx_rates}',
    depends_on => '{check_api_quota}');
select headgate.put_step('data_collection_equities', 'publish_prices', function => 'equities.publish_prices',
    depends_on => '{process_us_markets,process_lse,process_german_markets,process_european_markets,load_fx_rates}',
    trigger_rule => 'all_done');
select headgate.put_step('data_collection_equities', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{publish_prices}', trigger_rule => 'all_done');

-- What must hold of a session before it is published. A check without listings to judge has no value, passes, and is
-- reported as unjudged. Checks of bars judge any number of listings; checks of closes need a sample of 20.
select headgate.put_check(c.name, pipeline => 'data_collection_equities', severity => c.severity, warn_if => c.rule,
    error_if => c.rule, fail_calc => format('case when count(share) >= %s then avg(share) end', c.least),
    for_each => 'select s.group_key, s.session from equities._last_sessions(headgate.clock()) as s',
    query => format('select b.*, (%s)::int as share from equities.%s(each.group_key, each.session) as b order by share
        %s nulls last', c.share, c.bars, case when c.rule like '>%' then 'desc' end), description => c.says)
from (values
    ('bars_there', 'error', '< 0.95', 'expected_bars', 1, 'is_there',
        'The share of listings that traded in at least half of the last 20 sessions and have a bar now.'),
    ('bars_believed', 'error', '< 0.95', 'session_bars', 20, 'case when is_quarantined then 0 else sign(close) end',
        'The share of the session''s bars that are believed.'),
    ('closes_unchanged', 'error', '> 0.5', 'session_bars', 20, 'close = previous_close',
        'The share of closes that equal the previous session''s: a stalled feed.'),
    ('closes_doubled', 'warn', '> 0.02', 'session_bars', 20, 'close > 2 * previous_close or previous_close > 2 * close',
        'The share of closes more than twice or less than half of those before.')
) as c (name, severity, rule, bars, least, share, says);

select headgate.put_parameter('data_collection_equities', 'eodhd_daily_quota', 'quota',
    'Units a day may cost, of which eodhd_quota_buffer is not spent.', default_value => '100000');
select headgate.put_parameter('data_collection_equities', 'eodhd_quota_buffer', 'quota_buffer',
    'Units that are not spent.', default_value => '10000');
select headgate.put_parameter('data_collection_equities', 'max_new_assets_per_day', 'max_assets',
    'The most new listings a run takes.', default_value => '8000',
    operations => '{fundamentals_bulk,prices_historical}');
select headgate.put_parameter('data_collection_equities', 'max_price_updates_per_day', 'max_assets',
    'The most price updates a run takes.', default_value => '25000', operations => '{prices_incremental}');
select headgate.put_parameter('data_collection_equities', 'bulk_load_batch_size', 'chunk_size',
    'The most new listings that travel in one chunk.', default_value => '500',
    operations => '{fundamentals_bulk,prices_historical}');
select headgate.put_parameter('data_collection_equities', 'incremental_batch_size', 'chunk_size',
    'The most price updates that travel in one chunk.', default_value => '5000', operations => '{prices_incremental}');
select headgate.put_parameter('data_collection_equities', 'mode', 'mode',
    'auto: all that is due; bulk: only new listings; incremental: only price updates.',
    default_value => '"auto"', allowed => '{auto,bulk,incremental}',
    meanings => '{"bulk": ["fundamentals_bulk", "prices_historical"], "incremental": ["prices_incremental"]}');
select headgate.put_parameter('data_collection_equities', 'exchanges', 'groups',
    'Only these: exchange codes (US, LSE) or names (NASDAQ, EURONEXT).',
    meanings => jsonb_build_object('attribute', 'exchange',
        'advice', 'equities.add_exchange adds an exchange to a step (docs/equities.md)'));
select headgate.put_parameter('data_collection_equities', 'tickers', 'assets', 'Only these: codes like AAPL.US.');

-- Indicators, and the screener that shows them.
select headgate.put_pipeline('calculate_indicators',
    'Calculate technical indicators where bars have changed, and publish the screener.');
select headgate.put_step('calculate_indicators', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('calculate_indicators', 'calculate_indicators', operations => '{indicators_calculation}',
    depends_on => '{initialize_execution}');
select headgate.put_step('calculate_indicators', 'publish_screener', function => 'equities.publish_screener',
    depends_on => '{calculate_indicators}');
select headgate.put_step('calculate_indicators', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{publish_screener}', trigger_rule => 'all_done');

-- The provider's own count of units, once a day.
select headgate.put_pipeline('equities_account',
    'Take the provider''s own count of the units used into the quota; daily.');
select headgate.put_step('equities_account', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('equities_account', 'reconcile_quota', operations => '{account_usage}',
    depends_on => '{initialize_execution}');
select headgate.put_step('equities_account', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{reconcile_quota}', trigger_rule => 'all_done');

select headgate.end_plan();

select * from headgate.upsert_assets('eodhd_account', '[{"code": "account", "group_key": "account"}]');
