-- What was started, how it stands, and what had to wait.

create table headgate.process_executions (
    execution_id bigint generated always as identity,
    pipeline_id bigint not null references headgate.pipelines,
    run_id text not null,
    driver text not null,
    status text not null default 'running',
    logical_date timestamptz,
    params jsonb not null default '{}',
    started_at timestamptz not null,
    finished_at timestamptz,
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
    )
);

comment on table headgate.process_executions is 'One run of a pipeline, named by (pipeline, run_id).';
comment on column headgate.process_executions.execution_id is 'Surrogate key.';
comment on column headgate.process_executions.pipeline_id is 'The pipeline.';
comment on column headgate.process_executions.run_id is 'Airflow''s run id, or a name given in psql.';
comment on column headgate.process_executions.driver is 'Who advances its steps: airflow, or headgate''s own runners.';
comment on column headgate.process_executions.status is 'running, paused, succeeded, failed or cancelled.';
comment on column headgate.process_executions.logical_date is 'The date it was scheduled for, if any.';
comment on column headgate.process_executions.params is 'Its parameters, defaults filled in.';
comment on column headgate.process_executions.started_at is 'When it started.';
comment on column headgate.process_executions.finished_at is 'When it ended.';
comment on column headgate.process_executions.planned is 'Jobs planned; set when it ends.';
comment on column headgate.process_executions.succeeded is 'Jobs that succeeded.';
comment on column headgate.process_executions.failed is 'Jobs that failed.';
comment on column headgate.process_executions.deferred is 'Jobs that were planned and had to wait for the next execution.';
comment on column headgate.process_executions.skipped is 'Jobs that were not needed, or cancelled.';
comment on column headgate.process_executions.units is 'Units its calls cost.';

create index process_executions_open_idx
    on headgate.process_executions (pipeline_id) where status in ('running', 'paused');
comment on index headgate.process_executions_open_idx is 'Finds the few executions that have not ended among all that have.';

create table headgate.process_steps (
    execution_id bigint not null references headgate.process_executions,
    step text not null,
    position integer not null,
    status text not null default 'pending',
    round integer not null default 1,
    attempt integer not null default 1,
    planned_at timestamptz,
    planned integer not null default 0,
    succeeded integer not null default 0,
    failed integer not null default 0,
    deferred integer not null default 0,
    deferred_by_fault integer not null default 0,
    skipped integer not null default 0,
    units integer not null default 0,
    output jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    constraint process_steps_pkey primary key (execution_id, step),
    constraint step_status_is_known check (
        status in ('pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled')
    ),
    constraint step_finished_when_it_has_ended check (
        (status not in ('pending', 'running')) = (finished_at is not null)
    ),
    constraint step_counts_are_not_negative check (
        least(planned, succeeded, failed, deferred, deferred_by_fault, skipped, units) >= 0
    ),
    constraint no_more_ended_than_planned check (succeeded + failed + deferred + skipped <= planned)
) with (fillfactor = 50);

comment on table headgate.process_steps is 'A step of an execution and its counters.';
comment on column headgate.process_steps.execution_id is 'The execution.';
comment on column headgate.process_steps.step is 'The step.';
comment on column headgate.process_steps.position is 'Its place in the graph when the execution started.';
comment on column headgate.process_steps.status is 'pending, running, succeeded, failed, skipped or cancelled.';
comment on column headgate.process_steps.round is 'Grows each time failed jobs are run again.';
comment on column headgate.process_steps.attempt is 'The caller''s attempt that opened the round.';
comment on column headgate.process_steps.planned_at is 'When its round was planned; null: not yet.';
comment on column headgate.process_steps.planned is 'Jobs of the step, each counted once, by its latest round.';
comment on column headgate.process_steps.succeeded is 'Jobs that succeeded.';
comment on column headgate.process_steps.failed is 'Jobs that failed.';
comment on column headgate.process_steps.deferred is 'Jobs deferred to the next execution.';
comment on column headgate.process_steps.deferred_by_fault is 'Of the deferred, those deferred by the provider''s or the house''s fault.';
comment on column headgate.process_steps.skipped is 'Jobs skipped or cancelled.';
comment on column headgate.process_steps.units is 'Units its calls cost.';
comment on column headgate.process_steps.output is 'What a function step returned.';
comment on column headgate.process_steps.started_at is 'When it was enqueued or called.';
comment on column headgate.process_steps.finished_at is 'When it ended.';

create table headgate.planner_deferrals (
    execution_id bigint not null references headgate.process_executions,
    operation_id bigint not null references headgate.operations,
    group_key text not null,
    reason text not null,
    asset_ids bigint[] not null,
    units integer not null,
    deferred_at timestamptz not null,
    constraint planner_deferrals_pkey primary key (execution_id, operation_id, group_key, reason)
);

comment on table headgate.planner_deferrals is 'Pairs that were due and could not be afforded or started, one row per group and reason.';
comment on column headgate.planner_deferrals.execution_id is 'The execution that could not take them.';
comment on column headgate.planner_deferrals.operation_id is 'The operation.';
comment on column headgate.planner_deferrals.group_key is 'The group.';
comment on column headgate.planner_deferrals.reason is 'quota, max_assets, closed, or what else kept them back.';
comment on column headgate.planner_deferrals.asset_ids is 'The assets.';
comment on column headgate.planner_deferrals.units is 'Units they would have cost.';
comment on column headgate.planner_deferrals.deferred_at is 'When it was decided.';
