-- FreshPoC_E2E: five services called in strict order, each by one GET. A row holds the address of each service.
select headgate.begin_plan('freshpoc');

-- Services are assets, their addresses attributes. A call is repeated until its service is ready. Requests that
-- certainly did not reach a service cost nothing: refused connections, and status 502 to 504.
select headgate.put_provider('freshpoc', '{asset.base_url}', 'FreshPoC''s services.');
select headgate.put_rule('freshpoc', '200', 'failed', 'the service has failed: {url}', body => '"ok"\s*:\s*false');
select headgate.put_rule('freshpoc', '200-399', 'success', 'answered');
select headgate.put_rule('freshpoc', '502-504', 'retry', 'service not ready: {url}, last answer {answer}',
    charged => false);
select headgate.put_rule('freshpoc', 'error:connect', 'retry', 'service not ready: {url}, last answer {answer}');
select headgate.put_rule('freshpoc', 'error:timeout', 'retry', 'service not ready: {url}, last answer {answer}');
select headgate.put_rule('freshpoc', 'error:cut', 'retry', 'service not ready: {url}, last answer {answer}');
select headgate.put_rule('freshpoc', '400-599', 'failed', 'the service has failed: {url}');

-- Readiness: 30 attempts, 1 second apart, 3 seconds each. The writer adds nodes to the graph at every call, so a call
-- that may have been served is not repeated before an operator says so.
select headgate.put_operation('freshpoc_trigger', 'freshpoc_ingestion', due => 'run', provider => 'freshpoc',
    request => 'GET /trigger?repo={param.repo}', description => 'Start the ingestion of a repository.',
    max_attempts => 30, backoff => '1 second', backoff_max => '1 second', jitter => 0, timeout => '3 seconds',
    ingest_function => 'freshpoc.keep_answer');
select headgate.put_operation('freshpoc_run', 'freshpoc_workers', due => 'run', provider => 'freshpoc',
    request => 'GET /{asset.path}', description => 'A call that may be repeated.',
    max_attempts => 30, backoff => '1 second', backoff_max => '1 second', jitter => 0, timeout => '3 seconds',
    ingest_function => 'freshpoc.keep_answer');
select headgate.put_operation('freshpoc_write', 'freshpoc_writers', due => 'run', provider => 'freshpoc',
    request => 'GET /{asset.path}', description => 'A call that adds data each time.',
    max_attempts => 30, backoff => '1 second', backoff_max => '1 second', jitter => 0, timeout => '3 seconds',
    delivery => 'at_most_once', ingest_function => 'freshpoc.keep_answer');

select headgate.put_pipeline('FreshPoC_E2E', 'Ingest, mine, analyse, write and report, by hand only.');
select headgate.put_parameter('FreshPoC_E2E', 'repo', 'request', 'The repository to take in.',
    default_value => '"https://github.com/dbt-labs/jaffle-shop-classic"');
select headgate.put_step('FreshPoC_E2E', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('FreshPoC_E2E', 'ingestion_trigger', '{freshpoc_trigger}',
    depends_on => '{initialize_execution}',
    retries => 3, retry_delay => '10 seconds', retry_backoff => 2, timeout => '30 minutes');
select headgate.put_step('FreshPoC_E2E', 'miner_run', '{freshpoc_run}',
    group_keys => '{miner}', depends_on => '{ingestion_trigger}',
    retries => 3, retry_delay => '10 seconds', retry_backoff => 2, timeout => '30 minutes');
select headgate.put_step('FreshPoC_E2E', 'analyzer_run', '{freshpoc_run}',
    group_keys => '{analyzer}', depends_on => '{miner_run}',
    retries => 3, retry_delay => '10 seconds', retry_backoff => 2, timeout => '30 minutes');
select headgate.put_step('FreshPoC_E2E', 'writer_apply', '{freshpoc_write}',
    group_keys => '{writer}', depends_on => '{analyzer_run}',
    retries => 3, retry_delay => '10 seconds', retry_backoff => 2, timeout => '30 minutes');
select headgate.put_step('FreshPoC_E2E', 'report_generate', '{freshpoc_run}',
    group_keys => '{reporting, query}', depends_on => '{writer_apply}',
    retries => 3, retry_delay => '10 seconds', retry_backoff => 2, timeout => '30 minutes');
select headgate.put_step('FreshPoC_E2E', 'keep_report', function => 'freshpoc.report',
    depends_on => '{report_generate}', trigger_rule => 'all_done');
select headgate.put_step('FreshPoC_E2E', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{keep_report}', trigger_rule => 'all_done');

select headgate.end_plan();

-- Addresses of the services; an address that an environment has set stays. The query API is a sixth service: declare it
-- as an asset of freshpoc_workers, group query, path health, and the report step checks its health.
select headgate.upsert_assets(s.universe, jsonb_build_array(jsonb_build_object(
    'code', s.code, 'group_key', s.code, 'attributes', jsonb_build_object('base_url', s.base_url, 'path', s.path)
)))
from (values
    ('freshpoc_ingestion', 'ingestion', 'http://ingestion:8011', 'trigger'),
    ('freshpoc_workers', 'miner', 'http://miner:8012', 'run'),
    ('freshpoc_workers', 'analyzer', 'http://analyzer:8013', 'run'),
    ('freshpoc_writers', 'writer', 'http://writer:8014', 'apply'),
    ('freshpoc_workers', 'reporting', 'http://reporting:8016', 'generate')
) as s (universe, code, base_url, path)
where not exists (select from headgate.v_assets as a where a.universe = s.universe and a.code = s.code);
