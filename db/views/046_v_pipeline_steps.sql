-- The graph of each pipeline as it is declared now; an execution keeps the one it started with.

drop view if exists headgate.v_pipeline_steps cascade;

create view headgate.v_pipeline_steps as
select
    p.name as pipeline,
    s.step,
    s.kind,
    s.depends_on,
    s.trigger_rule,
    s.function,
    s.operations,
    s.group_keys,
    s.condition::text as condition,
    s.may_fail,
    s.retries,
    s.timeout,
    s.max_waves
from headgate.pipeline_steps as s
join headgate.pipelines as p using (pipeline_id)
where not p.is_retired
order by p.name, s.position;

comment on view headgate.v_pipeline_steps is 'The steps of pipelines, in order, and what each depends on.';
comment on column headgate.v_pipeline_steps.pipeline is 'The pipeline.';
comment on column headgate.v_pipeline_steps.step is 'The step.';
comment on column headgate.v_pipeline_steps.kind is 'fan_out: jobs of due assets; function: a stored function.';
comment on column headgate.v_pipeline_steps.depends_on is 'The steps before it.';
comment on column headgate.v_pipeline_steps.trigger_rule is
    'What must have become of those: all_success, all_done, one_success, one_failed, all_failed, none_failed or '
    'none_failed_min_one_success.';
comment on column headgate.v_pipeline_steps.function is 'The stored function it calls; null: a fan-out.';
comment on column headgate.v_pipeline_steps.operations is 'The operations whose due assets are its jobs.';
comment on column headgate.v_pipeline_steps.group_keys is 'The groups it is limited to; null: all.';
comment on column headgate.v_pipeline_steps.condition is
    'It runs only if this predicate holds of the run document; null: always.';
comment on column headgate.v_pipeline_steps.may_fail is 'True: its failure does not fail the run.';
comment on column headgate.v_pipeline_steps.retries is 'How often it is run again automatically after a failure.';
comment on column headgate.v_pipeline_steps.timeout is 'When it fails if it has not ended; null: no limit.';
comment on column headgate.v_pipeline_steps.max_waves is
    'How often it is planned at most, to continue with what its jobs have found.';
