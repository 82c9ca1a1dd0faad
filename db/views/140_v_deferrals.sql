-- What was due in an execution and had to wait, and why: the answer to "why was it not loaded that day?".

drop view if exists headgate.v_deferrals cascade;

create view headgate.v_deferrals as
select
    p.name as pipeline,
    e.run_id,
    o.name as operation,
    d.group_key,
    d.reason,
    coalesce(r.meaning, d.reason) as meaning,
    cardinality(d.asset_ids) as assets,
    d.units,
    d.asset_ids,
    d.evidence,
    e.started_at,
    d.deferred_at
from headgate.planner_deferrals as d
join headgate.process_executions as e using (execution_id)
join headgate.pipelines as p using (pipeline_id)
join headgate.operations as o using (operation_id)
left join headgate.v_deferral_reasons as r using (reason);

comment on view headgate.v_deferrals is
    'What was due in an execution but not planned, per operation, group and reason.';
comment on column headgate.v_deferrals.pipeline is 'The pipeline.';
comment on column headgate.v_deferrals.run_id is 'The execution that put it off.';
comment on column headgate.v_deferrals.operation is 'The operation.';
comment on column headgate.v_deferrals.group_key is 'The group.';
comment on column headgate.v_deferrals.reason is 'quota, share, reserve, max_assets, breaker, blocked or failures.';
comment on column headgate.v_deferrals.meaning is 'The reason in words.';
comment on column headgate.v_deferrals.assets is 'How many assets.';
comment on column headgate.v_deferrals.units is 'Units they would have cost.';
comment on column headgate.v_deferrals.asset_ids is 'Which assets.';
comment on column headgate.v_deferrals.evidence is
    'The basis of the decision: units left, units ranked before, the earliest time to run.';
comment on column headgate.v_deferrals.started_at is 'When the execution started.';
comment on column headgate.v_deferrals.deferred_at is 'When it was decided.';
