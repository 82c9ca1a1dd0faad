-- Operations: when they are due, what they cost, how they are called, how they fail.

create table headgate.pools (
    name text not null,
    slots integer not null,
    description text not null default '',
    constraint pools_pkey primary key (name),
    constraint slots_are_positive check (slots > 0)
);

comment on table headgate.pools is
    'Slots that operations share, across pipelines and runners: a lease of their work takes some, until it ends.';
comment on column headgate.pools.name is 'Its name.';
comment on column headgate.pools.slots is 'How many slots may be taken at once.';
comment on column headgate.pools.description is 'Its description.';

create table headgate.stores (
    name text not null,
    url text not null,
    endpoint text,
    region text,
    key_id_name text,
    secret_name text,
    description text not null default '',
    cleaned_at timestamptz,
    is_retired boolean not null default false,
    constraint stores_pkey primary key (name),
    constraint store_name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,30}$'),
    constraint store_url_is_a_folder_or_a_bucket check (
        url ~ '^file:///[^?#[:space:]]*[^?#/[:space:]]$'
        or url ~ '^s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/[^?#[:space:]]*[^?#/[:space:]])?$'
    ),
    constraint store_url_has_no_dot_segments
        check (substr(url, strpos(url, '://') + 3) !~ '//|(^|/)[.]{1,2}(/|$)'),
    constraint endpoint_is_http check (endpoint ~ '^https?://[^/?#@[:space:]]+(/[^?#[:space:]]*)?$'),
    constraint a_folder_has_no_server
        check (url ~ '^s3:' or num_nonnulls(endpoint, region, key_id_name, secret_name) = 0),
    constraint a_store_names_both_its_secrets check ((key_id_name is null) = (secret_name is null)),
    constraint store_secrets_are_names
        check (key_id_name ~ '^[A-Za-z_][A-Za-z0-9_]*$' and secret_name ~ '^[A-Za-z_][A-Za-z0-9_]*$'),
    constraint store_secrets_are_no_way_into_the_database
        check (key_id_name !~* '^(PG|HEADGATE_)' and secret_name !~* '^(PG|HEADGATE_)')
);

comment on table headgate.stores is 'Where runners put files: a folder, or a bucket of S3 or a compatible server.';
comment on column headgate.stores.name is 'Its name.';
comment on column headgate.stores.url is
    'file:///folder, as runners see it, or s3://bucket/prefix. headgate.set_store changes this and the next columns.';
comment on column headgate.stores.endpoint is 'Address of a server that speaks S3; null: Amazon''s.';
comment on column headgate.stores.region is 'Region of the bucket; null: us-east-1.';
comment on column headgate.stores.key_id_name is
    'Name of the runner''s environment variable that holds the access key''s id; null: the machine''s own credentials.';
comment on column headgate.stores.secret_name is
    'Name of the runner''s environment variable that holds the secret access key; never the secret.';
comment on column headgate.stores.description is 'Its description.';
comment on column headgate.stores.cleaned_at is
    'When a runner last began to remove unneeded files from it; null: never.';
comment on column headgate.stores.is_retired is
    'True: its plan no longer declares it; the row stays because artifacts refer to it.';

create table headgate.operations (
    operation_id bigint generated always as identity,
    name text not null,
    description text not null default '',
    universe text not null,
    provider_id bigint not null references headgate.providers,
    feature text,
    units integer not null default 0,
    units_per_asset integer not null default 0,
    priority smallint not null default 5,
    weight_power double precision not null default 1,
    staleness_per_day double precision not null default 1,
    is_backfill boolean not null default false,
    bundle text,
    due_rule text not null,
    due_every interval,
    due_function text,
    follows_operation_id bigint references headgate.operations,
    bulk_call_of_operation_id bigint,
    batch_size integer,
    overlap integer not null default 0,
    late_commits interval not null default '0',
    chunk_size integer not null default 100,
    max_attempts integer not null default 3,
    backoff interval not null default '2 seconds',
    backoff_max interval not null default '5 minutes',
    jitter double precision not null default 0.25,
    max_wait interval not null default '15 minutes',
    lease interval not null default '5 minutes',
    pool text references headgate.pools,
    pool_slots smallint not null default 1,
    delivery text not null default 'at_least_once',
    method text not null default 'GET',
    path text,
    query jsonb not null default '{}',
    headers jsonb not null default '{}',
    body jsonb,
    body_function text,
    statement text,
    stage text,
    is_call boolean not null generated always as (path is not null or statement is not null) stored,
    timeout interval not null default '30 seconds',
    max_bytes bigint not null default 67108864,
    max_rows integer,
    next_page text,
    max_pages integer not null default 1000,
    parser text,
    cache interval,
    revalidate boolean not null default false,
    outputs jsonb,
    expectations jsonb,
    ingest_function text,
    is_ingest_of_answers boolean not null default false,
    handler text,
    input_function text,
    max_memory bigint not null default 1073741824,
    handler_environment text[] not null default '{}',
    input_format text,
    handler_options jsonb not null default '{}',
    store text references headgate.stores,
    artifact_name text,
    keep_files interval,
    changes_of text,
    changes_by text,
    is_retired boolean not null default false,
    constraint operations_pkey primary key (operation_id),
    constraint operations_name_is_unique unique (name),
    constraint operations_bulk_call_of_fkey
        foreign key (bulk_call_of_operation_id) references headgate.operations,
    constraint units_are_not_negative check (units >= 0),
    constraint priority_in_range check (priority between 1 and 9),
    constraint ranking_is_not_negative
        check (weight_power >= 0 and staleness_per_day >= 0),
    constraint due_rule_is_known check (due_rule in ('once', 'run', 'every', 'session', 'after', 'function')),
    constraint every_has_its_interval check ((due_rule = 'every') = (due_every is not null) and due_every > '0'),
    constraint function_rule_has_its_function check ((due_rule = 'function') = (due_function is not null)),
    constraint run_follows_nothing check (due_rule <> 'run' or follows_operation_id is null),
    constraint a_bulk_call_is_made
        check (bulk_call_of_operation_id is null or path is not null),
    constraint a_bulk_call_serves_another_operation
        check (bulk_call_of_operation_id <> operation_id),
    constraint a_batch_call_serves_another_operation
        check (batch_size is null or batch_size > 0 and bulk_call_of_operation_id is not null),
    constraint units_per_asset_are_of_a_batch_call
        check (units_per_asset = 0 or units_per_asset > 0 and batch_size is not null),
    constraint overlap_in_range check (overlap between 0 and 1000),
    constraint chunk_size_in_range check (chunk_size between 1 and 1000),
    constraint max_attempts_is_positive check (max_attempts > 0),
    constraint pool_slots_are_positive check (pool_slots > 0),
    constraint pool_slots_are_of_a_pool check (pool_slots = 1 or pool is not null),
    constraint jitter_is_a_share check (jitter between 0 and 1),
    constraint intervals_are_positive check (least(backoff, backoff_max, max_wait, lease, timeout) > '0'),
    constraint delivery_is_known check (delivery in ('at_least_once', 'at_most_once')),
    constraint a_bulk_call_may_be_repeated
        check (delivery = 'at_least_once' or bulk_call_of_operation_id is null),
    constraint method_is_known check (method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
    constraint path_is_relative check (path ~ '^(/[^?#[:space:]]*|[{]asset[.][A-Za-z0-9_]+![}])$'),
    constraint path_has_no_dot_segments
        check (path !~* '(/|\\|%2f|%5c)([.]|%2e){1,2}(/|\\|%2f|%5c|$)'),
    constraint one_body check (num_nonnulls(body, body_function) <= 1),
    constraint a_body_function_writes_requests_for_one_asset
        check (body_function is null or path is not null and bulk_call_of_operation_id is null),
    constraint query_is_an_object check (jsonb_typeof(query) = 'object'),
    constraint called_or_handled check (num_nonnulls(path, statement, handler) <= 1),
    constraint statement_is_one_query check (statement ~* '^\s*(select|with|values|table)\M' and statement !~ ';\s*$'),
    constraint statement_has_no_parameters_of_its_own check (statement !~ '[$][0-9]'),
    constraint a_stage_is_of_a_statement_or_a_handler check (
        stage is null or num_nonnulls(statement, handler) = 1 and ingest_function is not null
    ),
    constraint a_handler_stages_rows_of_one_asset check (stage is null or handler is null or chunk_size = 1),
    constraint parser_reads_answers check (parser is null or path is not null),
    constraint revalidated_are_cached check (not revalidate or cache is not null),
    constraint cached_are_requests_for_one_asset check (
        cache is null
        or cache > '0'
        and path is not null
        and bulk_call_of_operation_id is null
        and next_page is null
        and delivery = 'at_least_once'
    ),
    constraint next_page_is_known check (next_page ~ '^[$]|^link [A-Za-z0-9_.-]+$|^offset [$]'),
    constraint pages_are_of_requests check (
        next_page is null
        or path is not null and ingest_function is not null and bulk_call_of_operation_id is null and stage is null
    ),
    constraint max_pages_in_range check (max_pages between 1 and 1000000),
    constraint rows_are_of_a_statement check (max_rows is null or max_rows > 0 and statement is not null),
    constraint late_commits_are_of_a_statement
        check (late_commits = '0' or late_commits > '0' and statement is not null and overlap = 0),
    constraint outputs_are_paths_by_name check (
        jsonb_typeof(outputs) = 'object'
        and outputs <> '{}'
        and not jsonb_path_exists(outputs, 'strict $.* ? (@.type() != "string")', '{}', true)
    ),
    constraint outputs_are_of_a_call_for_one_asset
        check (outputs is null or num_nonnulls(path, statement) > 0 and bulk_call_of_operation_id is null),
    constraint expectations_are_of_a_call_for_one_asset
        check (expectations is null or num_nonnulls(path, statement) > 0 and bulk_call_of_operation_id is null),
    constraint input_has_its_handler check (input_function is null or handler is not null),
    constraint max_memory_is_enough check (max_memory >= 67108864),
    constraint input_format_is_known check (input_format in ('csv', 'json')),
    constraint a_stream_is_of_one_asset
        check (input_format is null or input_function is not null and chunk_size = 1),
    constraint options_have_their_handler check (
        handler_options = '{}' or jsonb_typeof(handler_options) = 'object' and handler is not null
    ),
    constraint a_store_has_its_handler check (store is null or handler is not null),
    constraint artifact_name_has_its_store check (artifact_name is null or store is not null),
    constraint artifact_name_is_a_path check (artifact_name !~ '^/|/$|//|(^|/)[.]{1,2}(/|$)|\\|^$'),
    constraint kept_files_have_their_store check (keep_files is null or keep_files > '0' and store is not null),
    constraint changes_are_exported check (
        changes_of is null or store is not null and input_format = 'csv' and input_function = 'headgate.read_changes'
    ),
    constraint way_of_changes_is_known check (changes_by in ('slot', 'triggers')),
    constraint environment_has_its_handler check (handler_environment = '{}' or handler is not null)
);

comment on table headgate.operations is
    'A kind of work on one asset. Without path and handler, its ingest function does all the work.';
comment on column headgate.operations.operation_id is 'Surrogate key.';
comment on column headgate.operations.name is 'Its name, unique in the database.';
comment on column headgate.operations.description is 'Its description.';
comment on column headgate.operations.universe is
    'The universe whose assets need it; _<name>, with one asset, if the plan names none.';
comment on column headgate.operations.provider_id is 'The provider it calls; `local` for none.';
comment on column headgate.operations.feature is
    'Planned only if the provider''s account has this feature '
    '(providers.features); null: every account may call it.';
comment on column headgate.operations.units is 'Units the provider charges for one call.';
comment on column headgate.operations.units_per_asset is
    'Units the provider charges per asset named in a batch call, in addition to units.';
comment on column headgate.operations.priority is
    '1 is most urgent, 9 least; 1-3 travel in the queue high, 4-6 in normal, 7-9 in low.';
comment on column headgate.operations.weight_power is
    'How much an asset''s weight counts in the ranking: 1 in full, 0 not at all.';
comment on column headgate.operations.staleness_per_day is
    'How much waiting counts in the ranking: value = weight ^ '
    'weight_power x (1 + staleness_per_day x days overdue) / units.';
comment on column headgate.operations.is_backfill is
    'True: it uses what a window has left after all other operations, and leaves units for what becomes due later.';
comment on column headgate.operations.bundle is
    'Operations of one bundle are granted to an asset together or not at all.';
comment on column headgate.operations.due_rule is
    'once, run (in every execution), every (interval), session (last closed session plus lag), after (its inputs are '
    'newer), function.';
comment on column headgate.operations.due_every is 'The interval of the rule `every`.';
comment on column headgate.operations.due_function is
    'The rule `function`: schema.name(asset_id bigint, watermark timestamptz, now timestamptz) returns timestamptz.';
comment on column headgate.operations.follows_operation_id is
    'Becomes due only after this operation has succeeded, and inherits its watermark.';
comment on column headgate.operations.bulk_call_of_operation_id is
    'The need that this bulk or batch call serves for many assets at once, if that is cheaper; null: a need of its '
    'own.';
comment on column headgate.operations.batch_size is
    'The most assets that a batch call names ({chunk.codes}); null: a call serves one asset, or a whole group for one '
    'session.';
comment on column headgate.operations.overlap is
    'Number of sessions (days for assets without a calendar) before the watermark that {state.since} requests again; '
    '0: none.';
comment on column headgate.operations.late_commits is
    'How long before the watermark {state.since} begins: the longest time for which a transaction of the source may '
    'stay open after it has stamped its rows.';
comment on column headgate.operations.chunk_size is 'The most assets that travel in one chunk.';
comment on column headgate.operations.max_attempts is 'Attempts before a job that fails by its own fault is failed.';
comment on column headgate.operations.backoff is 'First wait before a retry; doubles, with jitter.';
comment on column headgate.operations.backoff_max is 'Longest wait between retries.';
comment on column headgate.operations.jitter is
    'How far a wait before a retry may vary, as a share of it, so that jobs that failed together are not retried '
    'together; 0: exact.';
comment on column headgate.operations.max_wait is
    'How long a job may be parked before it is deferred to the next execution.';
comment on column headgate.operations.lease is 'How long a runner may hold a chunk without a heartbeat.';
comment on column headgate.operations.pool is 'The pool whose slots its leases take; null: none.';
comment on column headgate.operations.pool_slots is 'How many slots of its pool a lease takes.';
comment on column headgate.operations.delivery is
    'at_least_once, or at_most_once: a job whose call may have been made without a clear answer is not repeated, but '
    'ends deferred.';
comment on column headgate.operations.method is 'HTTP method.';
comment on column headgate.operations.path is
    'URL path template, below the provider''s base URL, e.g. /eod/{asset.code}; {asset.code!}: that is a path and a '
    'query as URLs write it.';
comment on column headgate.operations.query is
    'Query parameters, name to template; a template ending in ?} is left out when it has no value.';
comment on column headgate.operations.headers is 'Headers of this operation''s requests.';
comment on column headgate.operations.body is 'JSON body; its strings are templates.';
comment on column headgate.operations.body_function is
    'schema.name of the function that writes the bodies of a chunk''s requests instead: '
    '(context jsonb, asset_ids bigint[]) returns table (asset_id bigint, body jsonb).';
comment on column headgate.operations.statement is
    'The query that a database is asked instead of a request; its {fields} are bind parameters, {field!} a quoted '
    'name, {field?} null when it has no value.';
comment on column headgate.operations.stage is
    'schema.table whose columns its rows have: they are copied in binary into headgate_stage.<operation>, and the '
    'ingest function merges them from there; null: rows come as JSON.';
comment on column headgate.operations.is_call is 'True: it has a request or a statement.';
comment on column headgate.operations.timeout is 'How long one call, or a handler over one chunk, may take.';
comment on column headgate.operations.max_bytes is 'The longest answer that is read.';
comment on column headgate.operations.parser is
    'Python function that turns an answer''s body into JSON before the ingest function: an entry point of the group '
    'headgate.parsers, or module:function; null: none.';
comment on column headgate.operations.next_page is
    'Where an answer names the next page: a JSON path over its body, link <parameter> of the Link header''s next, or '
    'offset <JSON path> of its rows; null: there is only one page.';
comment on column headgate.operations.max_pages is 'After this many pages a job ends as degraded.';
comment on column headgate.operations.max_rows is 'The most rows that a statement may return; null: only bytes count.';
comment on column headgate.operations.cache is
    'Maximum age of a stored answer to an equal request that replaces a call; null: every request is made.';
comment on column headgate.operations.revalidate is
    'True: an older answer that names its version (ETag, Last-Modified) serves again if the provider says that it has '
    'not changed (304).';
comment on column headgate.operations.outputs is
    'The job''s output from an answer: name to JSON path over {status, duration_ms, headers, body, asset}; null: none.';
comment on column headgate.operations.expectations is
    'What must hold of a good answer: [{predicate, verdict, reason}], with JSON paths over the same document as in '
    'outputs; the first that does not hold decides: degraded, failed, retry or skipped; null: no expectation.';
comment on column headgate.operations.ingest_function is
    'schema.name of the function that turns answers into rows; null: the answer is dropped.';
comment on column headgate.operations.is_ingest_of_answers is
    'True: its ingest function takes headgate.answer[] instead of text[]; set by check_plans.';
comment on column headgate.operations.handler is
    'Python function that computes instead of calling: an entry point of '
    'the group headgate.handlers, or module:function; null: none.';
comment on column headgate.operations.input_function is
    'schema.name of the function that reads the handler''s input; null: it needs only the chunk.';
comment on column headgate.operations.max_memory is
    'Bytes of memory that the process of a handler or a parser may take.';
comment on column headgate.operations.handler_environment is
    'Names of the environment variables its handler sees besides '
    'harmless ones (PATH, LANG, TZ); never values, no secret, no DSN.';
comment on column headgate.operations.input_format is
    'csv or json: the input function''s rows of one asset reach the handler as a stream; null: as arrays, in memory.';
comment on column headgate.operations.handler_options is 'Further options of its handler, by name.';
comment on column headgate.operations.store is 'The store of its handler''s files; null: it has none.';
comment on column headgate.operations.artifact_name is
    'Template of its artifacts'' name, e.g. posts/{run.date}.parquet; null: the handler names its files itself.';
comment on column headgate.operations.keep_files is 'How long its artifacts are kept; null: no limit.';
comment on column headgate.operations.changes_of is
    'schema.table whose inserts, updates and deletes it exports, each once: triggers keep them in '
    'headgate_changes.<operation> until then, or the server''s log does (headgate.change_slots); null: it exports what '
    'its input function returns.';
comment on column headgate.operations.changes_by is
    'slot: changes are read from the server''s log; triggers: they are written into a table; null: by a slot where '
    'that was possible when changes_of was declared, else by triggers.';
comment on column headgate.operations.is_retired is
    'True: its plan no longer declares it; the row and its assets'' state stay, because history refers to it.';

create table headgate.change_slots (
    operation text not null,
    position pg_lsn,
    exported_at timestamptz not null,
    constraint change_slots_pkey primary key (operation)
);

comment on table headgate.change_slots is
    'Operations that read changes from a replication slot of the server, headgate._slot_name.';
comment on column headgate.change_slots.operation is 'The operation''s name.';
comment on column headgate.change_slots.position is
    'Up to where the server''s log is exported; the slot follows with the next job. Null: its slot is to be created.';
comment on column headgate.change_slots.exported_at is
    'When that was written; before the first export: when the slot was created.';

create table headgate.operation_inputs (
    operation_id bigint not null references headgate.operations,
    input_operation_id bigint not null references headgate.operations,
    constraint operation_inputs_pkey primary key (operation_id, input_operation_id),
    constraint input_is_another_operation check (operation_id <> input_operation_id)
);

comment on table headgate.operation_inputs is
    'The rule `after`: an operation is due when one of its inputs changed rows since its last success.';
comment on column headgate.operation_inputs.operation_id is 'The operation that becomes due.';
comment on column headgate.operation_inputs.input_operation_id is 'The operation whose changes make it due.';

create index operation_inputs_input_idx on headgate.operation_inputs (input_operation_id);
comment on index headgate.operation_inputs_input_idx is 'Finds the operations that a completion''s changes make due.';
