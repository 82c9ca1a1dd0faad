-- What was due and not planned, for analysts.

drop view if exists headgate_bi.deferrals cascade;

create view headgate_bi.deferrals as
select
    d.deferred_at,
    d.pipeline,
    d.run_id,
    d.operation,
    d.group_key,
    d.reason,
    d.meaning,
    d.assets,
    d.units
from headgate.v_deferrals as d;

comment on view headgate_bi.deferrals is 'What was due in a run but not planned, by operation, group and reason.';
comment on column headgate_bi.deferrals.deferred_at is 'When it was decided.';
comment on column headgate_bi.deferrals.pipeline is 'The pipeline.';
comment on column headgate_bi.deferrals.run_id is 'The run that put it off.';
comment on column headgate_bi.deferrals.operation is 'The operation.';
comment on column headgate_bi.deferrals.group_key is 'The group.';
comment on column headgate_bi.deferrals.reason is 'quota, share, reserve, max_assets, breaker, blocked or failures.';
comment on column headgate_bi.deferrals.meaning is 'The reason in words.';
comment on column headgate_bi.deferrals.assets is 'How many assets.';
comment on column headgate_bi.deferrals.units is 'Units that they would have cost.';
