-- OnPoint: every night three lists, the top stories and a web site are crawled, validated, processed, written to files
-- and loaded; every minute changes of the tables go to the lake; every quarter of an hour the monitoring checks
-- database, tables, runs, errors and machine.
select headgate.begin_plan('onpoint');

select headgate.put_pool('crawling_pool', 4, 'Pool for web crawling tasks');
select headgate.put_pool('processing_pool', 2, 'Pool for data processing tasks');
select headgate.put_pool('database_pool', 3, 'Pool for database operations');

select headgate.put_pool('s3_pool', 2, 'Pool for S3 upload operations');

-- Temporary files of a run, which are removed when it ends, and files that stay. headgate.set_store moves a store, for
-- example to S3.
select headgate.put_store('onpoint_files', 'file:///var/lib/headgate/onpoint/files');
select headgate.put_store('onpoint_lake', 'file:///var/lib/headgate/onpoint/lake');

-- Recipients of news about a run; headgate.set_channel sets what differs between environments.
select headgate.put_channel('onpoint_slack', 'slack', secret_name => 'ONPOINT_SLACK_URL');
select headgate.put_channel('onpoint_mail', 'mail', host => 'localhost', port => 25,
    sender => 'headgate@localhost', recipients => '{data-team@localhost}');
select headgate.put_route(
    format('onpoint_runs_%s', c.name), 'onpoint_' || c.name, 'run', pipeline => 'onpoint_data_pipeline',
    statuses => '{failed,cancelled}'
)
from unnest('{slack, mail}'::text[]) as c (name);
select headgate.put_route(
    format('onpoint_health_%s', c.name), 'onpoint_' || c.name, 'alert', subject => 'onpoint health'
)
from unnest('{slack, mail}'::text[]) as c (name);

-- Ten requests a second to each service. A request that is answered by 429 is repeated after 1, 2, 4, ... seconds while
-- others go on.
select headgate.put_provider('onpoint_jsonplaceholder', 'https://jsonplaceholder.typicode.com', 'Lists of records.',
    requests_per_minute => 600);
select headgate.put_provider('onpoint_hackernews', 'https://hacker-news.firebaseio.com', 'Hacker News.',
    requests_per_minute => 600, max_in_flight => 50);
select headgate.put_provider('onpoint_website', 'https://quotes.toscrape.com', 'A site made to be crawled.',
    requests_per_minute => 600, max_in_flight => 10);
select headgate.put_rule('onpoint_jsonplaceholder', '429', 'retry', 'too many requests');
select headgate.put_rule('onpoint_hackernews', '429', 'retry', 'too many requests');
select headgate.put_rule('onpoint_website', '429', 'retry', 'too many requests', fault => 'quota',
    blocks => 'retry_after');
select headgate.put_rule('onpoint_website', '304', 'skipped', 'unchanged since it was read last');
select headgate.put_rule('onpoint_website', '200-499', 'success', 'answered');

select headgate.put_operation('onpoint_lists', 'onpoint_lists', due => 'run', provider => 'onpoint_jsonplaceholder',
    request => 'GET /{asset.path}', description => 'A list of records, stored as returned.', pool => 'crawling_pool',
    max_attempts => 5, backoff => '1 second', backoff_max => '32 seconds', max_wait => '2 minutes',
    timeout => '30 seconds', ingest_function => 'onpoint.keep_documents');
select headgate.put_operation('onpoint_top_stories', due => 'run', provider => 'onpoint_hackernews',
    request => 'GET /v0/topstories.json', description => 'The numbers of the top stories.', pool => 'crawling_pool',
    max_attempts => 5, backoff => '1 second', backoff_max => '32 seconds', max_wait => '2 minutes',
    timeout => '30 seconds', ingest_function => 'onpoint.list_stories');
select headgate.put_operation('onpoint_story', 'onpoint_stories', due => 'run', provider => 'onpoint_hackernews',
    request => 'GET /v0/item/{asset.code}.json', description => 'A top story.', pool => 'crawling_pool',
    max_attempts => 5, backoff => '1 second', backoff_max => '32 seconds', max_wait => '2 minutes',
    timeout => '30 seconds', ingest_function => 'onpoint.keep_stories');

select headgate.put_operation('onpoint_robots', due => 'every 20 hours', provider => 'onpoint_website',
    request => 'GET /robots.txt', description => 'What the site allows.', pool => 'crawling_pool', max_attempts => 5,
    backoff => '1 second', backoff_max => '32 seconds', max_wait => '2 minutes', timeout => '30 seconds',
    parser => 'robots', ingest_function => 'headgate.ingest_robots');
select headgate.put_operation('onpoint_page', 'onpoint_pages', due => 'run', provider => 'onpoint_website',
    request => 'GET {asset.code!}', description => 'A page of the site.', pool => 'crawling_pool', chunk_size => 50,
    headers => '{"If-None-Match": "{state.etag?}", "If-Modified-Since": "{state.last_modified?}"}',
    expectations => array[
        ['$.status < 400', 'skipped', 'answered {status}'],
        ['$.status >= 300 || $.headers."content-type" like_regex "html"', 'skipped', 'no page: {headers.content-type}']
    ],
    max_attempts => 5, backoff => '1 second', backoff_max => '32 seconds', max_wait => '2 minutes',
    timeout => '30 seconds', parser => 'html', max_bytes => 2000000, ingest_function => 'onpoint.keep_pages');

-- Each data set as Parquet and Excel, and as gzip-compressed JSON; no file is larger than 128 MB.
select headgate.put_operation(format('onpoint_%s_tables', d.name), 'onpoint_tables', due => 'run', handler => 'export',
    description => format('The %s as tables.', d.name), input_function => 'onpoint.export_' || d.name,
    input_format => 'csv', handler_options => '{"max_rows": 1000000, "max_bytes": 100000000}', store => 'onpoint_files',
    artifact_name => d.name || '/{steps.process_data.partition}/{run.stamp}-{part}.{asset.code}', keep_files => '1 day',
    pool => 'processing_pool', timeout => '30 minutes')
from unnest('{posts, users, comments, stories}'::text[]) as d (name);
select headgate.put_operation(format('onpoint_%s_lines', d.name), 'onpoint_lines', due => 'run', handler => 'export',
    description => format('The %s as JSON.', d.name), input_function => 'onpoint.export_' || d.name,
    input_format => 'json', handler_options => '{"max_bytes": 100000000}', store => 'onpoint_files',
    artifact_name => d.name || '/{steps.process_data.partition}/{run.stamp}-{part}.{asset.code}', keep_files => '1 day',
    pool => 'processing_pool', timeout => '30 minutes')
from unnest('{posts, users, comments, stories}'::text[]) as d (name);
select headgate.put_operation('onpoint_load_' || d.name, due => 'run', handler => 'load',
    description => format('Load the %s from Parquet.', d.name), input_function => 'onpoint.files_to_load',
    stage => 'onpoint.' || d.name, "into" => 'onpoint.' || d.name, key => '{id}', sequence_by => 'etl_processed_at',
    pool => 'database_pool', timeout => '30 minutes')
from unnest('{posts, users, comments, stories}'::text[]) as d (name);
select headgate.put_operation('onpoint_upload', 'onpoint_data_sets', due => 'run', handler => 'copy',
    description => 'Copy a data set''s files to the lake.', input_function => 'onpoint.files_to_upload',
    store => 'onpoint_lake', chunk_size => 1, pool => 's3_pool', timeout => '30 minutes');
select headgate.put_operation('onpoint_cleanup', due => 'run', handler => 'remove',
    description => 'Remove temporary files.', input_function => 'onpoint.files_to_remove', store => 'onpoint_files',
    timeout => '10 minutes');

select headgate.put_pipeline('onpoint_data_pipeline', 'Crawl, validate, process, load; 02:00 UTC daily.');
select headgate.put_parameter('onpoint_data_pipeline', 'max_stories', effect => 'request', type => 'integer',
    default_value => '500', description => 'Number of top stories to load.');
select headgate.put_parameter('onpoint_data_pipeline', 'max_depth', effect => 'request', type => 'integer',
    default_value => '5', description => 'Maximum distance in links from the first page.');
select headgate.put_parameter('onpoint_data_pipeline', 'max_pages', effect => 'request', type => 'integer',
    default_value => '2000', description => 'Maximum number of pages of the site.');
select headgate.put_step('onpoint_data_pipeline', 'start_pipeline', function => 'headgate.start_execution');
select headgate.put_step('onpoint_data_pipeline', 'crawl_apis', operations => '{onpoint_lists, onpoint_top_stories}',
    depends_on => '{start_pipeline}', max_failed_share => 0, retries => 2, retry_delay => '5 minutes');
select headgate.put_step('onpoint_data_pipeline', 'crawl_stories', operations => '{onpoint_story}',
    depends_on => '{crawl_apis}', trigger_rule => 'all_done', max_failed_share => 0.05, retries => 2,
    retry_delay => '5 minutes');
select headgate.put_step('onpoint_data_pipeline', 'read_robots', operations => '{onpoint_robots}',
    depends_on => '{start_pipeline}', max_failed_share => 0, retries => 2, retry_delay => '5 minutes');
select headgate.put_step('onpoint_data_pipeline', 'crawl_web', operations => '{onpoint_page}',
    depends_on => '{read_robots}', max_failed_share => 0.1, max_waves => 50, retries => 2, retry_delay => '5 minutes');
select headgate.put_step('onpoint_data_pipeline', 'validate_raw_data', function => 'onpoint.validate_raw_data',
    depends_on => '{crawl_stories, crawl_web}', trigger_rule => 'all_done');
select headgate.put_step('onpoint_data_pipeline', 'process_data', function => 'onpoint.process_data',
    depends_on => '{validate_raw_data}');
select headgate.put_step('onpoint_data_pipeline', 'convert_formats', operations => array(
    select format('onpoint_%s_%s', d.name, f.form)
    from unnest('{posts, users, comments, stories}'::text[]) as d (name)
    cross join unnest('{tables, lines}'::text[]) as f (form)
), depends_on => '{process_data}', max_failed_share => 0);
select headgate.put_step('onpoint_data_pipeline', 'run_etl', function => 'onpoint.run_etl',
    depends_on => '{process_data}');
select headgate.put_step('onpoint_data_pipeline', 'create_tables', function => 'onpoint.create_tables',
    depends_on => '{convert_formats, run_etl}');
select headgate.put_step('onpoint_data_pipeline', 'load_data',
    operations => '{onpoint_load_posts, onpoint_load_users, onpoint_load_comments, onpoint_load_stories}',
    depends_on => '{create_tables}', max_failed_share => 0);
select headgate.put_step('onpoint_data_pipeline', 'upload_to_s3', operations => '{onpoint_upload}',
    depends_on => '{load_data}', max_failed_share => 0);
select headgate.put_step('onpoint_data_pipeline', 'data_quality_check', function => 'headgate.run_checks',
    depends_on => '{load_data}');
select headgate.put_step('onpoint_data_pipeline', 'send_success_notification',
    function => 'onpoint.send_success_notification', depends_on => '{upload_to_s3, data_quality_check}');
select headgate.put_step('onpoint_data_pipeline', 'cleanup_temp_files', operations => '{onpoint_cleanup}',
    depends_on => '{send_success_notification}', trigger_rule => 'all_done', max_failed_share => 0);
select headgate.put_step('onpoint_data_pipeline', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{cleanup_temp_files}', trigger_rule => 'all_done');

select headgate.put_check('row_count_check', 'row_count', "on" => 'onpoint.posts', error_if => '< 1',
    pipeline => 'onpoint_data_pipeline', description => 'The table holds posts.');
select headgate.put_check('null_check', 'not_null', "on" => 'onpoint.users', columns => '{email}', error_if => '> 0',
    pipeline => 'onpoint_data_pipeline', description => 'Every user has a mail address.');
select headgate.put_check('duplicate_check', 'unique', "on" => 'onpoint.posts', columns => '{id}', error_if => '> 0',
    pipeline => 'onpoint_data_pipeline', description => 'No post is stored twice.');

select headgate.put_operation('onpoint_machine', due => 'run', handler => 'machine', timeout => '1 minute',
    description => 'How busy the machine is.');
select headgate.put_pipeline('pipeline_monitoring', 'Health checks; every quarter of an hour.');
select headgate.put_step('pipeline_monitoring', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('pipeline_monitoring', 'measure_machine', operations => '{onpoint_machine}',
    depends_on => '{initialize_execution}');
select headgate.put_step('pipeline_monitoring', 'pipeline_health_check', function => 'onpoint.pipeline_health_check',
    depends_on => '{measure_machine}', trigger_rule => 'all_done', retries => 1, retry_delay => '5 minutes');
select headgate.put_step('pipeline_monitoring', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{pipeline_health_check}', trigger_rule => 'all_done');

-- Each insert, update and delete of the four tables, in files of its hour.
select headgate.put_operation(format('onpoint_%s_changes', d.name), due => 'run', changes_of => 'onpoint.' || d.name,
    description => format('The changes of the %s since the last run.', d.name),
    handler_options => '{"max_bytes": 134217728}', store => 'onpoint_lake',
    artifact_name => format('changes/%s/{partition}/{part}.parquet', d.name), timeout => '30 minutes')
from unnest('{posts, users, comments, stories}'::text[]) as d (name);
select headgate.put_pipeline('onpoint_changes', 'Write changes of the tables to the lake; every minute.');
select headgate.put_step('onpoint_changes', 'initialize_execution', function => 'headgate.start_execution');
select headgate.put_step('onpoint_changes', 'export_changes', operations => array(
    select format('onpoint_%s_changes', d.name) from unnest('{posts, users, comments, stories}'::text[]) as d (name)
), depends_on => '{initialize_execution}', max_failed_share => 0);
select headgate.put_step('onpoint_changes', 'finalize_execution', function => 'headgate.finalize_execution',
    depends_on => '{export_changes}', trigger_rule => 'all_done');

-- Figures of each pipeline's last run that has ended.
select headgate.put_metric(m.name, 'gauge', m.help, format(
        $query$
            select distinct on (e.pipeline) e.pipeline, %s as value
            from headgate.v_recent_executions as e
            where e.pipeline in ('onpoint_data_pipeline', 'pipeline_monitoring') and e.finished_at is not null
            order by e.pipeline, e.started_at desc
        $query$, m.value
    ))
from (values
    ('onpoint_processing_time_seconds', 'Duration of the run.', 'extract(epoch from e.duration)'),
    (
        'onpoint_success_rate', 'Share of the jobs that succeeded, without those that had nothing to do.',
        'e.succeeded::numeric / nullif(e.planned - e.skipped, 0)'
    )
) as m (name, help, value);
select headgate.put_metric('onpoint_records_processed', 'gauge', 'Rows that the last run processed.', $query$
        select s.pipeline, sum((t.value ->> 'rows')::bigint) as value
        from headgate.v_execution_steps as s
        cross join lateral jsonb_each(s.output) as t
        where s.pipeline = 'onpoint_data_pipeline'
            and s.step = 'process_data'
            and jsonb_typeof(t.value) = 'object'
            and s.run_id = (
                select e.run_id
                from headgate.v_recent_executions as e
                where e.pipeline = 'onpoint_data_pipeline' and e.finished_at is not null
                order by e.started_at desc
                limit 1
            )
        group by s.pipeline
    $query$);
select headgate.put_metric('onpoint_memory_usage_bytes', 'gauge', 'Most memory of a job of the run.', $query$
        select e.pipeline, (
            select max(h.peak_memory)
            from headgate.v_asset_processing_history as h
            where h.run_id = e.run_id
                and h.ended_at between e.started_at and e.finished_at
                and h.operation in (
                    select o.operation from headgate.v_operations as o where e.pipeline = any (o.pipelines)
                )
        ) as value
        from (
            select distinct on (r.pipeline) r.pipeline, r.run_id, r.started_at, r.finished_at
            from headgate.v_recent_executions as r
            where r.pipeline in ('onpoint_data_pipeline', 'pipeline_monitoring') and r.finished_at is not null
            order by r.pipeline, r.started_at desc
        ) as e
    $query$);

select headgate.end_plan();

select headgate.upsert_assets('onpoint_lists', '[
    {"code": "jsonplaceholder_posts", "group_key": "list", "attributes": {"path": "posts"}},
    {"code": "jsonplaceholder_users", "group_key": "list", "attributes": {"path": "users"}},
    {"code": "jsonplaceholder_comments", "group_key": "list", "attributes": {"path": "comments"}}]');
select headgate.upsert_assets('onpoint_pages', '[{"code": "/", "group_key": "page"}]');
select headgate.upsert_assets('onpoint_tables', '[
    {"code": "parquet", "group_key": "file"}, {"code": "xlsx", "group_key": "file"}]');
select headgate.upsert_assets('onpoint_lines', '[
    {"code": "ndjson.gz", "group_key": "file"}, {"code": "json.gz", "group_key": "file"}]');
select headgate.upsert_assets('onpoint_data_sets', '[
    {"code": "posts", "group_key": "data set"}, {"code": "users", "group_key": "data set"},
    {"code": "comments", "group_key": "data set"}, {"code": "stories", "group_key": "data set"}]');
