-- Jobs, for analysts. A condition on ended_at reads the months concerned only; a join is left out with its columns.

drop view if exists headgate_bi.jobs cascade;

create view headgate_bi.jobs as
select
    d.ended_at,
    p.name as pipeline,
    e.run_id,
    d.step,
    o.name as operation,
    v.name as provider,
    a.universe,
    a.group_key,
    a.code as asset,
    d.round,
    d.status,
    d.reason,
    d.error,
    d.verdict,
    d.records,
    d.attempts as calls,
    d.units,
    d.from_cache,
    d.duration_ms / 1000.0::double precision as duration_seconds,
    d.cpu_ms / 1000.0::double precision as cpu_seconds,
    d.peak_memory as peak_memory_bytes
from headgate.asset_processing_details as d
left join headgate.assets as a using (asset_id)
left join headgate.operations as o using (operation_id)
left join headgate.providers as v using (provider_id)
left join headgate.process_executions as e using (execution_id)
left join headgate.pipelines as p using (pipeline_id);

comment on view headgate_bi.jobs is
    'Jobs that have ended, one row per round. Name a range of ended_at: it reads these months only.';
comment on column headgate_bi.jobs.ended_at is 'When it ended.';
comment on column headgate_bi.jobs.pipeline is 'The pipeline; null: its run is older than the history kept.';
comment on column headgate_bi.jobs.run_id is 'The run; null: it is older than the history kept.';
comment on column headgate_bi.jobs.step is 'The step.';
comment on column headgate_bi.jobs.operation is 'What was done.';
comment on column headgate_bi.jobs.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.jobs.universe is 'The universe of the asset.';
comment on column headgate_bi.jobs.group_key is 'The group of the asset.';
comment on column headgate_bi.jobs.asset is 'The asset''s code.';
comment on column headgate_bi.jobs.round is 'The round of the step.';
comment on column headgate_bi.jobs.status is 'success, failed, deferred, skipped or cancelled.';
comment on column headgate_bi.jobs.reason is 'Why it did not succeed, or is degraded.';
comment on column headgate_bi.jobs.error is 'The error, if any.';
comment on column headgate_bi.jobs.verdict is
    'The verdict of the expectation that its last answer did not meet; null: it met all.';
comment on column headgate_bi.jobs.records is 'Rows inserted or changed.';
comment on column headgate_bi.jobs.calls is 'Requests made.';
comment on column headgate_bi.jobs.units is 'Units charged for its calls.';
comment on column headgate_bi.jobs.from_cache is 'True: a cached answer served it, without a call.';
comment on column headgate_bi.jobs.duration_seconds is 'Time that its calls took.';
comment on column headgate_bi.jobs.cpu_seconds is 'Processor time of its handler; null: it has none.';
comment on column headgate_bi.jobs.peak_memory_bytes is 'Peak memory of its handler''s process; null: it has none.';
