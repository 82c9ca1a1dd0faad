-- squawk-ignore-file constraint-missing-not-valid, adding-not-nullable-field
-- An execution keeps the graph it started with. A step says why it was skipped, whether its failure is tolerated, and
-- how much of what it put off is our own fault; pairs left out after failures are found without reading what is not
-- due.

alter table headgate.pipeline_steps add column may_fail boolean not null default false;
comment on column headgate.pipeline_steps.may_fail is
    'True: its failure does not fail the execution; the steps behind it see the failure as ever.';
comment on column headgate.pipeline_steps.trigger_rule is
    'all_success, all_done or one_success of those it depends on, a step skipped by an operator counting as passed; '
    'else it is skipped.';

alter table headgate.process_steps
    add column kind text,
    add column depends_on text[] not null default '{}',
    add column trigger_rule text not null default 'all_success',
    add column function text,
    add column operations text[],
    add column group_keys text[],
    add column max_failed_share real not null default 0.05,
    add column may_fail boolean not null default false,
    add column skip_reason text,
    add column is_marked boolean not null default false,
    add column is_left_out boolean not null default false,
    add column deferred_by_internal_fault integer not null default 0;

update headgate.process_steps as s
set kind = g.kind, depends_on = g.depends_on, trigger_rule = g.trigger_rule, function = g.function,
    operations = g.operations, group_keys = g.group_keys, max_failed_share = g.max_failed_share
from headgate.process_executions as e
join headgate.pipeline_steps as g using (pipeline_id)
where e.execution_id = s.execution_id
    and g.step = s.step;
-- Of a step that has left its pipeline nothing is known but that its jobs can end.
update headgate.process_steps as s set kind = 'fan_out', operations = '{}' where s.kind is null;
update headgate.process_steps as s set skip_reason = 'finalized' where s.status = 'skipped';

alter table headgate.process_steps
    alter column kind set not null,
    add constraint process_step_kind_is_known check (kind in ('function', 'fan_out')),
    add constraint skipped_steps_say_why check ((status = 'skipped') = (skip_reason is not null)),
    add constraint skip_reason_is_known check (skip_reason in ('rule', 'condition', 'operator', 'finalized')),
    add constraint internal_faults_are_faults check (deferred_by_internal_fault between 0 and deferred_by_fault);

comment on column headgate.process_steps.kind is
    'The step as it was defined when the execution started: function or fan_out.';
comment on column headgate.process_steps.depends_on is 'Steps that must have ended before.';
comment on column headgate.process_steps.trigger_rule is 'all_success, all_done or one_success of those it depends on.';
comment on column headgate.process_steps.function is 'The function it calls.';
comment on column headgate.process_steps.operations is 'Operations the fan-out covers.';
comment on column headgate.process_steps.group_keys is 'Groups the fan-out covers; null: all.';
comment on column headgate.process_steps.max_failed_share is
    'The step has failed when a larger share of its jobs failed or was deferred by an internal fault.';
comment on column headgate.process_steps.may_fail is 'True: its failure does not fail the execution.';
comment on column headgate.process_steps.skip_reason is
    'Why it was skipped: rule (its trigger rule), condition, operator, or finalized (the execution ended before it '
    'ran).';
comment on column headgate.process_steps.is_marked is
    'True: an operator has said how it ended; it runs again only when an operator names it.';
comment on column headgate.process_steps.is_left_out is
    'True: nothing was planned, because all of its pairs are left out after failures; the step has failed.';
comment on column headgate.process_steps.deferred_by_fault is
    'Of the deferred, those deferred by the provider''s or an internal fault.';
comment on column headgate.process_steps.deferred_by_internal_fault is
    'Of those, the ones deferred by an internal fault.';
comment on column headgate.process_steps.output is
    'What a function step returned: one value or row as it is, several as an array.';
comment on column headgate.pipeline_steps.max_failed_share is
    'The step has failed when a larger share of its jobs failed or was deferred by an internal fault.';
comment on column headgate.planner_deferrals.reason is
    'quota, max_assets, closed, failures, or what else kept them back.';

alter type headgate.job_tally add attribute deferred_by_internal_fault integer;
alter type headgate.forecast_need add attribute is_left_out boolean;
alter type headgate.claimed_chunk add attribute headers jsonb[];

-- Failures are rare: the index is small, and says at once which pairs are left out.
create index asset_processing_state_failures_idx
    on headgate.asset_processing_state (operation_id, asset_id) where consecutive_failures > 0;
comment on index headgate.asset_processing_state_failures_idx is
    'Finds the pairs that fail, and those left out after failures.';
