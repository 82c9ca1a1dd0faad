-- The viral learning flywheel: posts are read and taken apart, variants chosen by Thompson sampling and published, and
-- what the audience makes of them goes into the next choice; every night a maintenance.
select headgate.begin_plan('viral');

select headgate.put_store('viral_archive', 'file:///var/lib/headgate/viral/archive');

-- Health and metrics: every answer is looked at, whatever it is, and no service holds up another.
select headgate.put_provider('viral', '{asset.base_url}', 'All services, for their health and metrics.');
select headgate.put_rule('viral', '200-599', 'success', 'answered');
select headgate.put_rule('viral', 'error:connect', 'failed', 'no answer: {answer}');
select headgate.put_rule('viral', 'error:timeout', 'failed', 'no answer: {answer}');
select headgate.put_rule('viral', 'error:cut', 'failed', 'no answer: {answer}');

-- The services' addresses are set for each environment: headgate migrate --base-url viral_engine=http://...
select headgate.put_provider('viral_orchestrator', 'http://orchestrator:8080', 'Publishes variants, and counts.');
select headgate.put_provider('viral_scraper', 'http://viral-scraper:8080', 'Reads posts.', max_in_flight => 5);
select headgate.put_provider('viral_engine', 'http://viral-engine:8080', 'Writes variants.', max_in_flight => 5);
select headgate.put_provider('viral_pattern_engine', 'http://viral-pattern-engine:8080', 'Finds patterns in posts.',
    max_in_flight => 5);
select headgate.put_rule('viral_scraper', '429', 'retry', 'the account was scraped less than a minute ago',
    fault => 'quota');

select headgate.put_operation('viral_health', 'viral_services', due => 'run', provider => 'viral',
    request => 'GET /health', description => 'How a service is.', max_attempts => 1, max_wait => '1 second',
    timeout => '30 seconds', ingest_function => 'viral.keep_health');
select headgate.put_operation('viral_metrics', 'viral_services', due => 'run', provider => 'viral',
    request => 'GET /metrics', description => 'What a service measures of itself.', max_attempts => 1,
    max_wait => '1 second', timeout => '30 seconds', ingest_function => 'viral.keep_metrics');

-- The scraper takes one request a minute for an account; at 80 % of that an account is due again after 75 seconds.
select headgate.put_operation('viral_scrape', 'viral_accounts', due => 'every 75 seconds', provider => 'viral_scraper',
    request => 'POST /scrape/account/{asset.code}', description => 'Has the scraper look for new posts.',
    body => '{"max_posts": "{param.max_posts_per_account}", "days_back": "{param.days_back}",
        "min_performance_percentile": "{param.min_performance_percentile}"}',
    outputs => '{"task_id": "$.body.task_id"}', max_attempts => 5, backoff => '1 minute', backoff_max => '1 minute',
    max_wait => '5 minutes', timeout => '30 seconds');
select headgate.put_operation('viral_posts', 'viral_accounts', due => 'run', provider => 'viral_scraper',
    request => 'GET /viral-posts?account_id={asset.code}&limit=20&page={page.number}&since={state.watermark?}',
    next_page => '$.posts.size() >= 20', description => 'An account''s posts since the last ones.',
    max_attempts => 3, backoff => '1 second', max_wait => '2 minutes', timeout => '30 seconds',
    ingest_function => 'viral.keep_posts');
select headgate.put_operation('viral_patterns', 'viral_texts', due => 'run', provider => 'viral_pattern_engine',
    request => 'POST /extract-patterns', body => 'viral.text_bodies', chunk_size => 25, cache => '7 days',
    description => 'The patterns of a text.', max_attempts => 3, backoff => '1 second', max_wait => '2 minutes',
    timeout => '30 seconds', ingest_function => 'viral.keep_patterns');

select headgate.put_operation('viral_variants', due => 'run', provider => 'viral_orchestrator',
    request => 'GET /thompson-sampling/variants?hours=87600', description => 'What is known of the variants.',
    max_attempts => 3, backoff => '1 second', max_wait => '2 minutes', timeout => '30 seconds',
    ingest_function => 'viral.keep_outcomes');
select headgate.put_operation('viral_decision', due => 'run', handler => 'thompson',
    description => 'Which variants to publish.', input_function => 'viral.read_variants',
    ingest_function => 'viral.keep_decision', timeout => '1 minute',
    handler_options => '{"top_k": 10, "exploration_share": 0.3, "min_impressions": 100}');
select headgate.put_operation('viral_allocate', due => 'run', provider => 'viral_orchestrator',
    request => 'POST /thompson-sampling/variants/optimize', body => 'viral.allocation_body',
    headers => '{"Idempotency-Key": "{job.key}"}', description => 'Has the chosen variants published.',
    max_attempts => 3, backoff => '1 second', max_wait => '2 minutes', timeout => '30 seconds');
select headgate.put_operation('viral_generate', 'viral_personas', due => 'run', provider => 'viral_engine',
    request => 'POST /generate-variants', body => 'viral.persona_bodies',
    headers => '{"Idempotency-Key": "{job.key}"}', description => 'New variants of a persona.', max_attempts => 3,
    backoff => '1 second', max_wait => '2 minutes', timeout => '1 minute', ingest_function => 'viral.keep_variants');
select headgate.put_operation('viral_outcomes', due => 'run', provider => 'viral_orchestrator',
    request => 'GET /thompson-sampling/variants?hours=87600', description => 'What the audience made of them.',
    max_attempts => 3, backoff => '1 second', max_wait => '2 minutes', timeout => '30 seconds',
    ingest_function => 'viral.keep_outcomes');

select headgate.put_pipeline('viral_learning_flywheel', 'Read, learn, choose, publish, measure; every 6 hours.',
    timeout => '2 hours');
select headgate.put_parameter('viral_learning_flywheel', 'max_posts_per_account', 'request', type => 'integer',
    default_value => '50', description => 'How many posts of an account to look for.');
select headgate.put_parameter('viral_learning_flywheel', 'days_back', 'request', type => 'integer',
    default_value => '7', description => 'How old the posts may be that are learned from.');
select headgate.put_parameter('viral_learning_flywheel', 'min_performance_percentile', 'request', type => 'number',
    default_value => '80', description => 'Posts above this percentile of engagement are viral.');
select headgate.put_parameter('viral_learning_flywheel', 'engagement_threshold', 'request', type => 'number',
    default_value => '0.06', description => 'The engagement rate that a run is to reach.');
select headgate.put_parameter('viral_learning_flywheel', 'cost_per_follow_threshold', 'request', type => 'number',
    default_value => '0.01', description => 'What a new follower may cost.');
select headgate.put_parameter('viral_learning_flywheel', 'fail_on_warning', 'request', type => 'boolean',
    default_value => 'false', description => 'Whether a service that is slow or degraded fails the run.');

select headgate.put_step('viral_learning_flywheel', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('viral_learning_flywheel', 'ask_required', operations => '{viral_health}',
    group_keys => '{required}', depends_on => '{initialize_execution}', max_failed_share => 0, retries => 3,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'ask_others', operations => '{viral_health}',
    group_keys => '{optional}', depends_on => '{initialize_execution}', max_failed_share => 1, may_fail => true);
select headgate.put_step('viral_learning_flywheel', 'health_check', function => 'viral.health_check',
    depends_on => '{ask_required, ask_others}', trigger_rule => 'all_done');
select headgate.put_step('viral_learning_flywheel', 'trigger_scraping', operations => '{viral_scrape}',
    depends_on => '{health_check}', max_failed_share => 0.5, retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'scrape_viral_content', operations => '{viral_posts}',
    depends_on => '{trigger_scraping}', max_failed_share => 0.5, retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'select_viral_posts', function => 'viral.select_viral_posts',
    depends_on => '{scrape_viral_content}');
select headgate.put_step('viral_learning_flywheel', 'extract_viral_patterns', operations => '{viral_patterns}',
    depends_on => '{select_viral_posts}', max_failed_share => 0.5, retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'score_patterns', function => 'viral.score_patterns',
    depends_on => '{extract_viral_patterns}');
select headgate.put_step('viral_learning_flywheel', 'read_variants', operations => '{viral_variants}',
    depends_on => '{score_patterns}', retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'optimize_parameters', operations => '{viral_decision}',
    depends_on => '{read_variants}', retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'allocate_variants', operations => '{viral_allocate}',
    depends_on => '{optimize_parameters}', condition => '$.steps.optimize_parameters.output.chosen > 0', retries => 3,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'generate_content_variants', operations => '{viral_generate}',
    depends_on => '{allocate_variants}', trigger_rule => 'none_failed', max_failed_share => 0.5, retries => 3,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'collect_metrics', operations => '{viral_metrics, viral_outcomes}',
    depends_on => '{generate_content_variants}', max_failed_share => 0.8, retries => 3, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_flywheel', 'measure_kpis', function => 'viral.measure_kpis',
    depends_on => '{collect_metrics}');
select headgate.put_step('viral_learning_flywheel', 'check_kpis', function => 'headgate.run_checks',
    depends_on => '{measure_kpis}', may_fail => true);
select headgate.put_step('viral_learning_flywheel', 'generate_workflow_report', function => 'viral.write_report',
    depends_on => '{check_kpis}', trigger_rule => 'all_done');
select headgate.put_step('viral_learning_flywheel', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{generate_workflow_report}', trigger_rule => 'all_done');

select headgate.put_check('viral_engagement', query => 'select e.* from viral.v_executive as e
        where e.name = ''engagement_rate''', fail_calc => 'max(value)', warn_if => '< 0.06', error_if => '< 0.03',
    hold_for => '15 minutes', pipeline => 'viral_learning_flywheel', description => 'Enough of its readers react.');
select headgate.put_check('viral_cost_per_follow', query => 'select e.* from viral.v_executive as e
        where e.name = ''cost_per_follow''', fail_calc => 'max(value)', warn_if => '> 0.01', error_if => '> 0.015',
    hold_for => '30 minutes', pipeline => 'viral_learning_flywheel', description => 'A new follower costs little.');

select headgate.put_operation('viral_archive', due => 'run', handler => 'export', input_format => 'csv',
    description => 'Old samples into files.', input_function => 'viral.read_old_metrics', store => 'viral_archive',
    artifact_name => 'metrics/{partition}.parquet', handler_options => '{"partition": "day"}', timeout => '30 minutes');
select headgate.put_operation('viral_engine_refresh', due => 'run', provider => 'viral_engine',
    request => 'POST /cache/refresh', description => 'Has the engine forget its patterns.', timeout => '30 seconds',
    max_attempts => 3, max_wait => '1 minute');
select headgate.put_operation('viral_pattern_refresh', due => 'run', provider => 'viral_pattern_engine',
    request => 'POST /cache/refresh', description => 'Has the pattern engine forget its patterns.',
    timeout => '30 seconds', max_attempts => 3, max_wait => '1 minute');
select headgate.put_operation('viral_vacuum', due => 'run', handler => 'vacuum', timeout => '30 minutes',
    description => 'Dead rows of the plan''s tables, and their statistics.',
    handler_environment => '{VIRAL_OWNER_DSN}',
    handler_options => '{"dsn": "VIRAL_OWNER_DSN", "schemas": ["viral"]}');
select headgate.put_operation('viral_health_afterwards', 'viral_services', due => 'run', provider => 'viral',
    request => 'GET /health', description => 'How a service is after the maintenance.', max_attempts => 1,
    max_wait => '1 second', timeout => '30 seconds', ingest_function => 'viral.keep_health');

select headgate.put_pipeline('viral_learning_maintenance', 'Health, clean-up, archive, statistics; 02:00 UTC daily.',
    timeout => '2 hours');
select headgate.put_step('viral_learning_maintenance', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('viral_learning_maintenance', 'ask_required', operations => '{viral_health}',
    group_keys => '{required}', depends_on => '{initialize_execution}', max_failed_share => 0, retries => 2,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'ask_others', operations => '{viral_health}',
    group_keys => '{optional}', depends_on => '{initialize_execution}', max_failed_share => 1, may_fail => true);
select headgate.put_step('viral_learning_maintenance', 'health_checks', function => 'viral.health_check',
    depends_on => '{ask_required, ask_others}', trigger_rule => 'all_done');
select headgate.put_step('viral_learning_maintenance', 'log_cleanup', function => 'viral.log_cleanup',
    depends_on => '{health_checks}', retries => 2, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'metrics_export', operations => '{viral_archive}',
    depends_on => '{health_checks}', max_failed_share => 0, retries => 2, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'metrics_archive', function => 'viral.metrics_archive',
    depends_on => '{metrics_export}', retries => 2, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'cache_refresh',
    operations => '{viral_engine_refresh, viral_pattern_refresh}', depends_on => '{health_checks}',
    max_failed_share => 0, retries => 2, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'vacuum_tables', operations => '{viral_vacuum}',
    depends_on => '{log_cleanup, metrics_archive, cache_refresh}', max_failed_share => 0, retries => 2,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'database_maintenance', function => 'viral.database_maintenance',
    depends_on => '{vacuum_tables}', retries => 2, retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'ask_required_again', operations => '{viral_health_afterwards}',
    group_keys => '{required}', depends_on => '{database_maintenance}', max_failed_share => 0, retries => 2,
    retry_delay => '5 minutes');
select headgate.put_step('viral_learning_maintenance', 'ask_others_again', operations => '{viral_health_afterwards}',
    group_keys => '{optional}', depends_on => '{database_maintenance}', max_failed_share => 1, may_fail => true);
select headgate.put_step('viral_learning_maintenance', 'health_afterwards', function => 'viral.health_check',
    depends_on => '{ask_required_again, ask_others_again}', trigger_rule => 'all_done');
select headgate.put_step('viral_learning_maintenance', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{health_afterwards}', trigger_rule => 'all_done');

-- Figures for Prometheus under the names that its dashboards and alerts use. Times are those of the last flywheel that
-- has ended.
select headgate.put_metric(m.name, 'gauge', m.help, format(
        'select extract(epoch from max(s.finished_at) - min(s.started_at)) as value '
        'from viral.v_last_steps as s where s.step = any (%L)', m.steps
    ))
from (values
    ('airflow_viral_scraper_execution_seconds', 'Time that scraping took.', '{trigger_scraping, scrape_viral_content}'),
    ('airflow_viral_engine_processing_seconds', 'Time that generating content took.', '{generate_content_variants}'),
    ('airflow_thompson_sampling_optimization_seconds', 'Time that choosing variants took.', '{optimize_parameters}'),
    ('airflow_metrics_collection_seconds', 'Time that reading the services'' metrics took.', '{collect_metrics}'),
    ('airflow_health_check_duration_seconds', 'Time that the health check took.',
        '{ask_required, ask_others, health_check}')
) as m (name, help, steps);
select headgate.put_metric('viral_learning_' || m.kpi, m.type, m.help, format(
        'select e.value from viral.v_executive as e where e.name = %L', m.kpi
    ))
from (values
    ('engagement_rate', 'gauge', 'Engagement in the last run that measured it.'),
    ('cost_per_follow', 'gauge', 'Cost of a new follower in dollars.'),
    ('content_generated_total', 'counter', 'Posts generated, as the services count them.'),
    ('pattern_accuracy', 'gauge', 'Share of later posts in which a pattern''s prediction was right.'),
    ('revenue_projection_monthly', 'gauge', 'Revenue in dollars projected for a month.')
) as m (kpi, type, help);
select headgate.put_metric('airflow_operator_memory_usage_bytes', 'gauge',
    'Memory: of the runners, and the peak of the last job of each handler.', $query$
        select 'runner' as operator, max(r.memory) as value from headgate.v_runners as r
        union all
        select h.operation, h.peak_memory
        from headgate.v_assets as a
        cross join lateral (
            select d.operation, d.peak_memory
            from headgate.v_asset_processing_history as d
            where d.asset_id = a.asset_id and d.peak_memory is not null
            order by d.ended_at desc
            limit 1
        ) as h
        where a.universe in ('_viral_decision', '_viral_archive')  -- each is the one asset of the operation so named
    $query$);
select headgate.put_metric('airflow_connection_pool_utilization', 'gauge', 'Share of the database''s connections used.',
    $query$
        select h.value / 100 as value from headgate.v_database_health as h where h.measure = 'connections_percent'
    $query$);
select headgate.put_metric('airflow_cache_hit_ratio', 'gauge', 'Share of calls that the cache and freshness spared.',
    $query$
        select sum(c.hits) / nullif(sum(c.hits + c.misses), 0) as value
        from headgate.v_cache as c where c.operation like 'viral\_%'
    $query$);

select headgate.end_plan();

-- Services, accounts and personas are rows; what an environment has set or added stays.
select headgate.upsert_assets(s.universe, jsonb_build_array(jsonb_build_object(
    'code', s.code, 'group_key', s.group_key, 'attributes', s.attributes
)))
from (values
    ('viral_services', 'orchestrator', 'required',
        '{"base_url": "http://orchestrator:8080", "threshold_ms": 500}'::jsonb),
    ('viral_services', 'viral_scraper', 'required',
        '{"base_url": "http://viral-scraper:8080", "threshold_ms": 1000}'),
    ('viral_services', 'viral_engine', 'optional', '{"base_url": "http://viral-engine:8080", "threshold_ms": 2000}'),
    ('viral_services', 'viral_pattern_engine', 'optional', '{"base_url": "http://viral-pattern-engine:8080"}'),
    ('viral_services', 'persona_runtime', 'optional', '{"base_url": "http://persona-runtime:8080"}'),
    ('viral_accounts', 'tech_leader', 'account', '{}'),
    ('viral_accounts', 'startup_founder', 'account', '{}'),
    ('viral_personas', 'ai_engineer', 'persona', '{}'),
    ('viral_personas', 'indie_maker', 'persona', '{}')
) as s (universe, code, group_key, attributes)
where not exists (select from headgate.v_assets as a where a.universe = s.universe and a.code = s.code);
