-- Executions: what was started, its state, and what had to wait.

create table headgate.process_executions (
    execution_id bigint generated always as identity,
    pipeline_id bigint not null references headgate.pipelines,
    run_id text not null,
    driver text not null,
    deployment text,
    dag text,
    status text not null default 'running',
    logical_date timestamptz,
    is_backfill boolean not null default false,
    params jsonb not null default '{}',
    started_at timestamptz not null,
    started_by text not null default session_user,
    finished_at timestamptz,
    reopened_at timestamptz,
    deadline_at timestamptz,
    planned integer not null default 0,
    succeeded integer not null default 0,
    failed integer not null default 0,
    deferred integer not null default 0,
    skipped integer not null default 0,
    units integer not null default 0,
    constraint process_executions_pkey primary key (execution_id),
    constraint run_id_is_unique unique (pipeline_id, run_id),
    constraint run_id_is_short check (length(run_id) between 1 and 250),
    constraint driver_is_known check (driver in ('airflow', 'headgate')),
    constraint execution_status_is_known check (
        status in ('running', 'paused', 'succeeded', 'failed', 'cancelled')
    ),
    constraint finished_when_it_has_ended check (
        (status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)
    ),
    constraint reopened_while_it_is_open check (reopened_at is null or finished_at is null),
    constraint backfill_has_its_date check (not is_backfill or logical_date is not null)
);

comment on table headgate.process_executions is 'One run of a pipeline, named by (pipeline, run_id).';
comment on column headgate.process_executions.execution_id is 'Surrogate key.';
comment on column headgate.process_executions.pipeline_id is 'The pipeline.';
comment on column headgate.process_executions.run_id is 'Airflow''s run id, or a name given in psql.';
comment on column headgate.process_executions.driver is 'Who advances its steps: airflow, or headgate''s own runners.';
comment on column headgate.process_executions.deployment is
    'The scheduler that started it, if several share this database; null: it has no name.';
comment on column headgate.process_executions.dag is
    'The scheduler''s DAG whose run it is; null: the DAG that is named like the pipeline.';
comment on column headgate.process_executions.status is 'running, paused, succeeded, failed or cancelled.';
comment on column headgate.process_executions.logical_date is 'The date it was scheduled for, if any.';
comment on column headgate.process_executions.is_backfill is
    'True: it is a back-fill, started for a past logical date.';
comment on column headgate.process_executions.params is 'Its parameters, defaults filled in.';
comment on column headgate.process_executions.started_at is 'When it started.';
comment on column headgate.process_executions.started_by is
    'The database user who had logged in; that of the runners if it started by itself.';
comment on column headgate.process_executions.finished_at is 'When it ended.';
comment on column headgate.process_executions.reopened_at is
    'When it was reopened after its end; null: it was not, or it has ended again.';
comment on column headgate.process_executions.deadline_at is
    'When it ends as failed if it has not ended by then: its pipeline''s timeout; null: no limit.';
comment on column headgate.process_executions.planned is 'Jobs planned; set when it ends.';
comment on column headgate.process_executions.succeeded is 'Jobs that succeeded.';
comment on column headgate.process_executions.failed is 'Jobs that failed.';
comment on column headgate.process_executions.deferred is 'Planned jobs that were left to the next execution.';
comment on column headgate.process_executions.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate.process_executions.units is 'Units its calls cost.';

create index process_executions_open_idx
    on headgate.process_executions (pipeline_id) where status in ('running', 'paused');
comment on index headgate.process_executions_open_idx is 'Finds the few executions that have not ended.';

-- Neither is on a column that changes, so that no end of an execution writes to them.
create index process_executions_newest_idx on headgate.process_executions (started_at, execution_id);
comment on index headgate.process_executions_newest_idx is 'Finds the newest executions among years of them.';
create index process_executions_latest_idx
    on headgate.process_executions (pipeline_id, started_at, execution_id);
comment on index headgate.process_executions_latest_idx is 'Finds the latest executions of a pipeline.';

-- An execution keeps the graph it started with.
create table headgate.process_steps (
    execution_id bigint not null references headgate.process_executions,
    step text not null,
    position integer not null,
    kind text not null,
    depends_on text[] not null default '{}',
    trigger_rule text not null default 'all_success',
    function text,
    operations text[],
    group_keys text[],
    max_failed_share real not null default 0.05,
    may_fail boolean not null default false,
    condition jsonpath,
    retries smallint not null default 0,
    retry_delay interval not null default '0',
    retry_backoff real not null default 1,
    timeout interval,
    max_waves smallint not null default 1,
    status text not null default 'pending',
    skip_reason text,
    is_marked boolean not null default false,
    is_left_out boolean not null default false,
    is_late boolean not null default false,
    is_rerun boolean not null default false,
    retried smallint not null default 0,
    retry_at timestamptz,
    deadline_at timestamptz,
    reopened_from text,
    round integer not null default 1,
    wave smallint not null default 1,
    planned_before integer not null default 0,
    attempt integer not null default 1,
    planned_at timestamptz,
    planned integer not null default 0,
    succeeded integer not null default 0,
    failed integer not null default 0,
    deferred integer not null default 0,
    deferred_by_fault integer not null default 0,
    deferred_by_internal_fault integer not null default 0,
    skipped integer not null default 0,
    degraded integer not null default 0,
    units integer not null default 0,
    output jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    constraint process_steps_pkey primary key (execution_id, step),
    constraint process_step_kind_is_known check (kind in ('function', 'fan_out')),
    constraint step_status_is_known check (
        status in ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')
    ),
    constraint skipped_steps_say_why check ((status = 'skipped') = (skip_reason is not null)),
    constraint skip_reason_is_known check (
        skip_reason in ('rule', 'upstream_failed', 'condition', 'operator', 'operator_behind', 'finalized')
    ),
    constraint reopened_from_is_an_end check (reopened_from in ('succeeded', 'failed', 'skipped', 'cancelled')),
    constraint step_finished_when_it_has_ended check (
        (status not in ('pending', 'running')) = (finished_at is not null)
    ),
    constraint only_pending_steps_await_a_retry check (retry_at is null or status = 'pending'),
    constraint only_pending_steps_are_rerun check (not is_rerun or status = 'pending'),
    constraint step_counts_are_not_negative check (
        least(planned, succeeded, failed, deferred, deferred_by_fault, skipped, units) >= 0
    ),
    constraint no_more_ended_than_planned check (succeeded + failed + deferred + skipped <= planned),
    constraint degraded_are_successes check (degraded between 0 and succeeded),
    constraint internal_faults_are_faults check (deferred_by_internal_fault between 0 and deferred_by_fault)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.process_steps is 'A step of an execution and its counters.';
comment on column headgate.process_steps.execution_id is 'The execution.';
comment on column headgate.process_steps.step is 'The step.';
comment on column headgate.process_steps.position is 'Its place in the graph when the execution started.';
comment on column headgate.process_steps.kind is
    'The step as it was defined when the execution started: function or fan_out.';
comment on column headgate.process_steps.depends_on is 'Steps that must have ended before.';
comment on column headgate.process_steps.trigger_rule is 'The condition on the steps it depends on.';
comment on column headgate.process_steps.function is 'The function it calls.';
comment on column headgate.process_steps.operations is 'Operations of the fan-out.';
comment on column headgate.process_steps.group_keys is 'Groups of the fan-out; null: all.';
comment on column headgate.process_steps.max_failed_share is
    'The step has failed when a larger share of its jobs failed or was deferred by an internal fault.';
comment on column headgate.process_steps.may_fail is 'True: its failure does not fail the execution.';
comment on column headgate.process_steps.condition is
    'A predicate over the run document; false: the step is skipped.';
comment on column headgate.process_steps.retries is 'How often it is retried automatically; with driver airflow never.';
comment on column headgate.process_steps.retry_delay is 'How long it waits before the first retry.';
comment on column headgate.process_steps.retry_backoff is 'The factor by which each further delay is longer.';
comment on column headgate.process_steps.timeout is 'A round that does not end within it fails; null: no limit.';
comment on column headgate.process_steps.max_waves is
    'The maximum number of times that it is planned; each wave follows only if the previous one made more work due.';
comment on column headgate.process_steps.status is 'pending, running, succeeded, failed, skipped or cancelled.';
comment on column headgate.process_steps.skip_reason is
    'Why it was skipped: upstream_failed (its trigger rule, because of a failure before it), rule (its trigger rule, '
    'without a failure), condition, operator (it counts as passed), operator_behind (an operator skipped it, and later '
    'steps treat it as skipped), or finalized (the execution ended before it ran).';
comment on column headgate.process_steps.is_marked is
    'True: an operator has set its status; it runs again only if an operator names it.';
comment on column headgate.process_steps.is_left_out is
    'True: nothing was planned, because all of its pairs are left out after failures; the step has failed.';
comment on column headgate.process_steps.is_late is
    'True: its round had not ended at its deadline; the step has failed.';
comment on column headgate.process_steps.is_rerun is
    'True: an operator runs it again as a whole; its next round has all of its jobs, including those that succeeded.';
comment on column headgate.process_steps.retried is
    'How often it was retried automatically since an operator or the run started it.';
comment on column headgate.process_steps.retry_at is
    'When it is retried automatically: it has failed, and has retries left; null: no retry is pending.';
comment on column headgate.process_steps.deadline_at is
    'When its round fails if it has not ended by then; null: no limit.';
comment on column headgate.process_steps.reopened_from is
    'Its status before it was reopened, which it gets back if its task does not run; null: it waits for no task.';
comment on column headgate.process_steps.round is 'Grows each time failed jobs are run again.';
comment on column headgate.process_steps.wave is
    'How often it was planned since it started; later waves contain only what the run has not done yet.';
comment on column headgate.process_steps.planned_before is 'Jobs of the waves before this one.';
comment on column headgate.process_steps.attempt is 'The caller''s attempt that opened the round.';
comment on column headgate.process_steps.planned_at is 'When its round was planned; null: not yet.';
comment on column headgate.process_steps.planned is 'Jobs of the step, each counted once, by its latest round.';
comment on column headgate.process_steps.succeeded is 'Jobs that succeeded.';
comment on column headgate.process_steps.failed is 'Jobs that failed.';
comment on column headgate.process_steps.deferred is 'Jobs deferred to the next execution.';
comment on column headgate.process_steps.deferred_by_fault is
    'Of the deferred, those deferred by the provider''s or an internal fault.';
comment on column headgate.process_steps.deferred_by_internal_fault is
    'Of those, the ones deferred by an internal fault.';
comment on column headgate.process_steps.skipped is 'Jobs skipped or cancelled.';
comment on column headgate.process_steps.degraded is
    'Of the succeeded, those whose answer did not meet an expectation.';
comment on column headgate.process_steps.units is 'Units its calls cost.';
comment on column headgate.process_steps.output is
    'What a function step returned: one value or row as it is, several as an array.';
comment on column headgate.process_steps.started_at is 'When it was enqueued or called.';
comment on column headgate.process_steps.finished_at is 'When it ended.';

create index process_steps_retry_idx on headgate.process_steps (retry_at) where retry_at is not null;
comment on index headgate.process_steps_retry_idx is 'Finds the few steps that wait for a retry.';
create index process_steps_deadline_idx
    on headgate.process_steps (deadline_at) where deadline_at is not null and status = 'running';
comment on index headgate.process_steps_deadline_idx is 'Finds the few running steps that have a deadline.';

create table headgate.step_counts (
    execution_id bigint not null,
    step text not null,
    count_id bigint generated always as identity,
    succeeded integer not null,
    degraded integer not null,
    failed integer not null,
    deferred integer not null,
    deferred_by_fault integer not null,
    deferred_by_internal_fault integer not null,
    skipped integer not null,
    units integer not null,
    constraint step_counts_pkey primary key (execution_id, step, count_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

comment on table headgate.step_counts is
    'Jobs that ended while another session held their step''s row: a completion adds a row instead of waiting, and the '
    'next session that holds the step takes it into the step''s counters. headgate._step_counters has the sums.';
comment on column headgate.step_counts.execution_id is
    'The execution; no reference, which each completion would check.';
comment on column headgate.step_counts.step is 'The step.';
comment on column headgate.step_counts.count_id is 'Surrogate key.';
comment on column headgate.step_counts.succeeded is 'To be added to the step''s counter of this name, as are all.';
comment on column headgate.step_counts.degraded is 'Of the succeeded, those whose answer did not meet an expectation.';
comment on column headgate.step_counts.failed is 'Jobs that failed.';
comment on column headgate.step_counts.deferred is 'Jobs deferred to the next execution.';
comment on column headgate.step_counts.deferred_by_fault is
    'Of the deferred, those deferred by the provider''s or an internal fault.';
comment on column headgate.step_counts.deferred_by_internal_fault is
    'Of those, the ones deferred by an internal fault.';
comment on column headgate.step_counts.skipped is 'Jobs skipped or cancelled.';
comment on column headgate.step_counts.units is 'Units their calls cost.';

create table headgate.planner_deferrals (
    execution_id bigint not null references headgate.process_executions,
    operation_id bigint not null references headgate.operations,
    group_key text not null,
    reason text not null,
    asset_ids bigint[] not null,
    units integer not null,
    evidence jsonb not null default '{}',
    deferred_at timestamptz not null,
    constraint planner_deferrals_pkey primary key (execution_id, operation_id, group_key, reason)
);

comment on table headgate.planner_deferrals is
    'Pairs that were due but could not be afforded or started, one row per operation, group and reason.';
comment on column headgate.planner_deferrals.execution_id is 'The execution that put them off.';
comment on column headgate.planner_deferrals.operation_id is 'The operation.';
comment on column headgate.planner_deferrals.group_key is 'The group.';
comment on column headgate.planner_deferrals.reason is
    'The deferral reason: quota, max_assets, blocked, failures, ... (headgate.v_deferral_reasons).';
comment on column headgate.planner_deferrals.asset_ids is 'The assets.';
comment on column headgate.planner_deferrals.units is 'Units they would have cost.';
comment on column headgate.planner_deferrals.evidence is
    'The basis of the decision: units left, units ranked before, the earliest time to run.';
comment on column headgate.planner_deferrals.deferred_at is 'When it was decided.';

create index planner_deferrals_time_idx on headgate.planner_deferrals (operation_id, group_key, deferred_at);
comment on index headgate.planner_deferrals_time_idx is 'Finds the latest deferrals of an asset, by its group.';

create table headgate.job_outputs (
    execution_id bigint not null references headgate.process_executions,
    step text not null,
    asset_id bigint not null references headgate.assets,
    output jsonb not null,
    is_only boolean not null,
    constraint job_outputs_pkey primary key (execution_id, step, asset_id)
);

comment on table headgate.job_outputs is
    'Outputs of a fan-out''s jobs for later steps; written when the jobs complete, kept as long as their execution.';
comment on column headgate.job_outputs.execution_id is 'The execution.';
comment on column headgate.job_outputs.step is 'The step.';
comment on column headgate.job_outputs.asset_id is 'The asset.';
comment on column headgate.job_outputs.output is 'Values by name, or what its handler returned.';
comment on column headgate.job_outputs.is_only is
    'True: the step had no other asset, so this is its output; false: the step''s output is an object by asset code.';

create table headgate.job_pages (
    execution_id bigint not null references headgate.process_executions,
    operation_id bigint not null references headgate.operations,
    asset_id bigint not null references headgate.assets,
    page integer not null,
    cursor text not null,
    records integer not null,
    watermark timestamptz,
    constraint job_pages_pkey primary key (execution_id, operation_id, asset_id, page)
);

comment on table headgate.job_pages is
    'Pages that a job has completed, each committed with its rows; deleted when the job has succeeded.';
comment on column headgate.job_pages.execution_id is 'The execution.';
comment on column headgate.job_pages.operation_id is 'The operation.';
comment on column headgate.job_pages.asset_id is 'The asset.';
comment on column headgate.job_pages.page is 'Its number, from 1.';
comment on column headgate.job_pages.cursor is 'The cursor of the next page that it named.';
comment on column headgate.job_pages.records is 'Rows that it changed.';
comment on column headgate.job_pages.watermark is 'How far its data reach; the last page sets the watermark.';

create unique index job_pages_cursor_idx on headgate.job_pages (execution_id, operation_id, asset_id, md5(cursor));
comment on index headgate.job_pages_cursor_idx is 'Finds a cursor that has occurred before.';
