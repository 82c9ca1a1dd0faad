-- Checks of data, and their results.

create table headgate.checks (
    name text not null,
    pipeline text references headgate.pipelines (name),
    description text not null default '',
    kind text not null,
    relation text,
    query text not null,
    fail_calc text not null,
    for_each text,
    severity text not null default 'error',
    warn_if text,
    error_if text,
    hold_for interval,
    timeout interval not null default '5 minutes',
    keep_rows smallint not null default 10,
    function text not null,
    constraint checks_pkey primary key (name),
    constraint check_name_is_plain check (name ~ '^[a-z][a-z0-9_]{0,54}$'),
    constraint check_kind_is_known check (
        kind in ('query', 'row_count', 'not_null', 'unique', 'accepted_values', 'relationships', 'freshness')
    ),
    constraint check_severity_is_known check (severity in ('error', 'warn')),
    constraint warn_if_is_a_comparison check (warn_if ~ '^(=|!=|<>|<|<=|>|>=) *\S'),
    constraint error_if_is_a_comparison check (error_if ~ '^(=|!=|<>|<|<=|>|>=) *\S'),
    constraint check_can_fail check (warn_if is not null or error_if is not null and severity = 'error'),
    constraint hold_for_is_not_negative check (hold_for >= '0'),
    constraint check_timeout_in_range check (timeout between '1 second' and '1 hour'),
    constraint keep_rows_in_range check (keep_rows between 0 and 1000)
);

comment on table headgate.checks is
    'A check of a plan''s data; a step of its pipeline runs it, or the maintenance. Read through headgate.v_checks.';
comment on column headgate.checks.name is 'Its name.';
comment on column headgate.checks.pipeline is
    'The pipeline in whose runs headgate.run_checks runs it; null: the maintenance does.';
comment on column headgate.checks.description is 'What it is about, for people.';
comment on column headgate.checks.kind is
    'row_count, not_null, unique, accepted_values, relationships, freshness; or query: its plan wrote the query.';
comment on column headgate.checks.relation is 'The table or view that it checks; null: its query names it.';
comment on column headgate.checks.query is 'The query for failing rows; in it, `each` is a row of for_each.';
comment on column headgate.checks.fail_calc is 'The value: an aggregate over the failing rows; a null value passes.';
comment on column headgate.checks.for_each is
    'A query: the check runs for each of its rows; null: once.';
comment on column headgate.checks.severity is 'error: it fails if error_if holds; warn: it only warns.';
comment on column headgate.checks.warn_if is 'The comparison by which a value warns, e.g. > 0; null: none.';
comment on column headgate.checks.error_if is 'The comparison by which a value fails; evaluated before warn_if.';
comment on column headgate.checks.hold_for is
    'How long it must fail or warn before an alert is raised, which is resolved when it passes; null: no alert.';
comment on column headgate.checks.timeout is 'A query that takes longer is cancelled: the check has failed.';
comment on column headgate.checks.keep_rows is 'How many failing rows are kept with a result.';
comment on column headgate.checks.function is 'The function in the plan''s schema that runs the query.';

create table headgate.check_results (
    result_id bigint generated always as identity,
    name text not null,
    subject text not null,
    execution_id bigint references headgate.process_executions,
    checked_at timestamptz not null,
    status text not null,
    value numeric,
    message text,
    failing jsonb,
    failing_since timestamptz,
    constraint check_results_pkey primary key (result_id),
    constraint check_status_is_known check (status in ('passed', 'warned', 'failed', 'errored')),
    constraint failing_since_it_did_not_pass check ((status = 'passed') = (failing_since is null))
);

comment on table headgate.check_results is 'Results of checks; read through headgate.v_check_results.';
comment on column headgate.check_results.result_id is 'Order of writing.';
comment on column headgate.check_results.name is 'The check; its results outlive it.';
comment on column headgate.check_results.subject is 'The values of its row of for_each; empty: the check has none.';
comment on column headgate.check_results.execution_id is 'The run that made it; null: the check ran outside of a run.';
comment on column headgate.check_results.checked_at is 'When the check ran.';
comment on column headgate.check_results.status is
    'passed, warned, failed, or errored (its query did not end, whatever its severity).';
comment on column headgate.check_results.value is 'Its value; null: too little to judge by, or its query did not end.';
comment on column headgate.check_results.message is 'What is wrong; null: it passed.';
comment on column headgate.check_results.failing is 'Failing rows, up to keep_rows and 64 kB.';
comment on column headgate.check_results.failing_since is 'Since when it has not passed; null: it passed.';

create index check_results_last_idx on headgate.check_results (name, subject, result_id desc);
comment on index headgate.check_results_last_idx is 'Finds a check''s last result.';
create index check_results_time_idx on headgate.check_results (name, checked_at);
comment on index headgate.check_results_time_idx is 'Finds all results of a check at one time, and its last time.';
create index check_results_execution_idx on headgate.check_results (execution_id) where execution_id is not null;
comment on index headgate.check_results_execution_idx is 'Finds the results of a run.';
