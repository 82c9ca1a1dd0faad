-- The recommender: extraction from the source database; a model that is trained, measured, and put in use only if it is
-- better; and a report on the source every six hours.
select headgate.begin_plan('recommender');

-- Two slots for all heavy work, whichever pipeline runs it.
select headgate.put_pool('ml_training_pool', 2, 'Pool for ML training tasks to limit concurrent resource usage');

-- The source is only read; its connection string is a secret of the runners. The services' addresses are set for each
-- environment: headgate migrate --base-url noblestride_fastapi=http://...
select headgate.put_provider('noblestride_postgres', kind => 'postgres', secret_name => 'NOBLESTRIDE_POSTGRES_DSN',
    description => 'The application''s database: investors, businesses and their deals.', max_in_flight => 2);
select headgate.put_provider('noblestride_fastapi', 'http://host.docker.internal:8010',
    'The recommender''s service; it is notified of models and synchronizations.');
select headgate.put_provider('noblestride_nodejs', 'http://host.docker.internal:3030', 'The application''s backend.');

-- Rows that have changed since the last extraction; a transaction of the source may last ten minutes.
select headgate.put_operation('noblestride_investors', due => 'run', provider => 'noblestride_postgres',
    description => 'Investors that are new or changed.', pool => 'ml_training_pool', timeout => '5 minutes',
    statement => 'select id, name, is_accelerator, updated_at from investors where updated_at >= {state.since?}',
    late_commits => '10 minutes', "into" => 'recommender.investors', rows => '$[*]', key => '{investor_id}',
    columns => '{"investor_id": "$.id", "name": "$.name", "is_accelerator": "$.is_accelerator",
        "updated_at": "$.updated_at"}', watermark => '$.updated_at');
select headgate.put_operation('noblestride_businesses', due => 'run', provider => 'noblestride_postgres',
    description => 'Companies that are new or changed.', pool => 'ml_training_pool', timeout => '5 minutes',
    statement => 'select id, name, status, categories, joined_year, updated_at from businesses
        where updated_at >= {state.since?}',
    late_commits => '10 minutes', "into" => 'recommender.businesses', rows => '$[*]', key => '{business_id}',
    columns => '{"business_id": "$.id", "name": "$.name", "status": "$.status", "categories": "$.categories",
        "joined_year": "$.joined_year", "updated_at": "$.updated_at"}', watermark => '$.updated_at');
select headgate.put_operation('noblestride_deals', due => 'run', provider => 'noblestride_postgres',
    description => 'Deals that are new.', pool => 'ml_training_pool', timeout => '5 minutes',
    statement => 'select investor_id, business_id, updated_at from deals where updated_at >= {state.since?}',
    late_commits => '10 minutes', "into" => 'recommender.deals', rows => '$[*]', key => '{investor_id, business_id}',
    columns => '{"investor_id": "$.investor_id", "business_id": "$.business_id", "updated_at": "$.updated_at"}',
    watermark => '$.updated_at');

select headgate.put_operation('noblestride_tables', due => 'run', provider => 'noblestride_postgres',
    description => 'The source''s tables; each becomes an asset.', pool => 'ml_training_pool',
    statement => 'select t.table_name as name, t.table_schema as schema from information_schema.tables as t
        where t.table_schema = ''public'' and t.table_type = ''BASE TABLE'' order by t.table_name',
    ingest_function => 'recommender.list_tables');
select headgate.put_operation('noblestride_table_rows', 'noblestride_tables', due => 'run',
    provider => 'noblestride_postgres', description => 'How many rows a table of the source has.',
    pool => 'ml_training_pool', statement => 'select count(*) as rows, now() as counted_at
        from {asset.schema!}.{asset.code!}', "into" => 'recommender.table_counts', rows => '$[*]', key => '{asset_id}',
    columns => '{"rows": "$.rows", "counted_at": "$.counted_at"}');

-- Both services are checked at once; a run goes on while one of them is healthy.
select headgate.put_operation('noblestride_fastapi_health', due => 'run', provider => 'noblestride_fastapi',
    request => 'GET /health', timeout => '30 seconds', description => 'Whether the recommender''s service is healthy.',
    max_attempts => 1, max_wait => '1 second', outputs => '{"status": "$.body.status"}',
    expectations => array[['$.body.status == "ok"', 'failed', 'it does not say that it is ok: {body.status}']]);
select headgate.put_operation('noblestride_nodejs_health', due => 'run', provider => 'noblestride_nodejs',
    request => 'GET /health', timeout => '15 seconds', description => 'Whether the backend is healthy.',
    max_attempts => 1, max_wait => '1 second', outputs => '{"status": "$.body.status"}');

select headgate.put_operation('recommender_preprocess', due => 'run', pool => 'ml_training_pool',
    description => 'Clean and count the deals to learn from.', timeout => '10 minutes',
    ingest_function => 'recommender.prepare_interactions');
select headgate.put_operation('recommender_model', due => 'run', pool => 'ml_training_pool',
    description => 'Train a model and compare it with popularity.', timeout => '30 minutes',
    handler => 'recommender', input_function => 'recommender.read_interactions',
    ingest_function => 'recommender.ingest_model');
select headgate.put_operation('recommender_training_complete', due => 'run', provider => 'noblestride_fastapi',
    description => 'Announce a new model to the service.', timeout => '30 seconds', max_attempts => 3,
    max_wait => '5 minutes', headers => '{"Idempotency-Key": "{job.key}"}',
    request => 'POST /api/model/training-complete', body => '{
        "model_type": "{steps.promote_model.model_type}", "training_samples": "{steps.promote_model.training_samples}",
        "training_timestamp": "{steps.promote_model.training_timestamp}",
        "model_version": "{steps.promote_model.model_version}", "metrics": "{steps.promote_model.metrics}"}');
select headgate.put_operation('noblestride_sync', due => 'run', provider => 'noblestride_fastapi',
    description => 'Report the source''s counts to the service.', timeout => '30 seconds', max_attempts => 1,
    max_wait => '1 second', request => 'POST /api/model/training-complete', body => '{
        "source": "noblestride_database", "table_summary": "{steps.summarize_tables.table_summary}",
        "sync_timestamp": "{run.now}", "total_records": "{steps.summarize_tables.total_records}"}');

select headgate.put_pipeline('recommender_training_pipeline', 'Extract, train, measure, put in use; 02:00 UTC daily.');
select headgate.put_parameter('recommender_training_pipeline', 'wait_for_integration', effect => 'request',
    type => 'boolean', default_value => 'false', description => 'Train only after an integration run of the same day.');
select headgate.put_step('recommender_training_pipeline', 'initialize_execution',
    function => 'headgate.start_execution');
select headgate.put_step('recommender_training_pipeline', 'await_integration',
    function => 'recommender.require_integration', depends_on => '{initialize_execution}', retries => 12,
    retry_delay => '5 minutes');
select headgate.put_step('recommender_training_pipeline', 'check_fastapi_health',
    operations => '{noblestride_fastapi_health}', depends_on => '{await_integration}', retries => 2,
    retry_delay => '5 minutes');
select headgate.put_step('recommender_training_pipeline', 'extract_data',
    operations => '{noblestride_investors, noblestride_businesses, noblestride_deals}',
    depends_on => '{check_fastapi_health}', retries => 2, retry_delay => '5 minutes', max_failed_share => 0);
select headgate.put_step('recommender_training_pipeline', 'preprocess_data', operations => '{recommender_preprocess}',
    depends_on => '{extract_data}', retries => 2, retry_delay => '5 minutes');
select headgate.put_step('recommender_training_pipeline', 'train_model', operations => '{recommender_model}',
    depends_on => '{preprocess_data}', retries => 2, retry_delay => '5 minutes');
select headgate.put_step('recommender_training_pipeline', 'promote_model', function => 'recommender.promote_model',
    depends_on => '{train_model}');
select headgate.put_step('recommender_training_pipeline', 'announce_model',
    operations => '{recommender_training_complete}', depends_on => '{promote_model}', may_fail => true);
select headgate.put_step('recommender_training_pipeline', 'finalize_execution',
    function => 'headgate.finalize_execution', depends_on => '{announce_model}', trigger_rule => 'all_done');

select headgate.put_pipeline('noblestride_integration_pipeline', 'Count the source, tell the service; every 6 hours.');
select headgate.put_step('noblestride_integration_pipeline', 'initialize_execution',
    function => 'headgate.start_execution');
select headgate.put_step('noblestride_integration_pipeline', 'check_services',
    operations => '{noblestride_fastapi_health, noblestride_nodejs_health}', depends_on => '{initialize_execution}',
    max_failed_share => 0.5, retries => 1, retry_delay => '3 minutes');
select headgate.put_step('noblestride_integration_pipeline', 'list_tables', operations => '{noblestride_tables}',
    depends_on => '{check_services}', retries => 1, retry_delay => '3 minutes');
select headgate.put_step('noblestride_integration_pipeline', 'extract_data', operations => '{noblestride_table_rows}',
    depends_on => '{list_tables}', retries => 1, retry_delay => '3 minutes', max_failed_share => 0);
select headgate.put_step('noblestride_integration_pipeline', 'summarize_tables',
    function => 'recommender.summarize_tables', depends_on => '{extract_data}');
select headgate.put_step('noblestride_integration_pipeline', 'sync_fastapi', operations => '{noblestride_sync}',
    depends_on => '{summarize_tables}', may_fail => true,
    condition => '$.steps.check_services.output.noblestride_fastapi_health.status == "ok"');
select headgate.put_step('noblestride_integration_pipeline', 'generate_report', function => 'recommender.write_report',
    depends_on => '{sync_fastapi}', trigger_rule => 'all_done');
select headgate.put_step('noblestride_integration_pipeline', 'finalize_execution',
    function => 'headgate.finalize_execution', depends_on => '{generate_report}', trigger_rule => 'all_done');

-- Recipients of news about runs that fail or are cancelled. The hook is a secret of the runners; the mail server and
-- the recipients are set for each environment: headgate.set_channel.
select headgate.put_channel('recommender_slack', 'slack', secret_name => 'RECOMMENDER_SLACK_URL');
select headgate.put_channel('recommender_mail', 'mail', host => 'localhost', port => 25,
    sender => 'headgate@localhost', recipients => '{recommendation-team@localhost}');
select headgate.put_route('recommender_training_slack', 'recommender_slack', 'run',
    pipeline => 'recommender_training_pipeline', statuses => '{failed,cancelled}');
select headgate.put_route('recommender_training_mail', 'recommender_mail', 'run',
    pipeline => 'recommender_training_pipeline', statuses => '{failed,cancelled}');
select headgate.put_route('noblestride_integration_slack', 'recommender_slack', 'run',
    pipeline => 'noblestride_integration_pipeline', statuses => '{failed,cancelled}');
select headgate.put_route('noblestride_integration_mail', 'recommender_mail', 'run',
    pipeline => 'noblestride_integration_pipeline', statuses => '{failed,cancelled}');

-- Quality of the extracted data, checked by the maintenance pipeline. Nothing is judged before the first extraction.
select headgate.put_check('recommender_completeness', severity => 'warn', warn_if => '< 0.5',
    description => 'The share of companies with status and categories.',
    query => 'select b.business_id, b.status, b.categories from recommender.businesses as b
        order by b.status is not null and b.categories is not null',
    fail_calc => 'avg((status is not null and categories is not null)::integer)');
select headgate.put_check('recommender_consistency', warn_if => '< 1', error_if => '< 0.95',
    description => 'The share of deals whose investor and company are known.',
    query => 'select d.investor_id, d.business_id, v.investor_id is not null and b.business_id is not null as is_known
        from recommender.deals as d left join recommender.investors as v using (investor_id)
        left join recommender.businesses as b using (business_id) order by is_known',
    fail_calc => 'avg(is_known::integer)');
select headgate.put_check('recommender_timeliness', warn_if => '> 26', error_if => '> 50', keep_rows => 0,
    description => 'Hours since the last extraction.',
    query => 'select s.succeeded_at from headgate.v_asset_states as s
        where s.operation in (''noblestride_investors'', ''noblestride_businesses'', ''noblestride_deals'')',
    fail_calc => 'extract(epoch from headgate.clock() - max(succeeded_at)) / 3600');

select headgate.end_plan();
