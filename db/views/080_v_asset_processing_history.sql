-- The history of each asset.

drop view if exists headgate.v_asset_processing_history cascade;

create view headgate.v_asset_processing_history as
select
    d.asset_id,
    a.code as asset,
    o.name as operation,
    d.status,
    d.ended_at,
    d.records,
    d.api_calls_used,
    d.duration_ms,
    d.attempts,
    coalesce(d.error, case when d.status <> 'success' then d.reason end) as error,
    e.run_id,
    d.verdict,
    d.reason,
    d.cpu_ms,
    d.peak_memory,
    d.from_cache
from headgate.asset_processing_details as d
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id)
left join headgate.process_executions as e using (execution_id);

comment on view headgate.v_asset_processing_history is 'Jobs that have ended, one row per round.';
comment on column headgate.v_asset_processing_history.asset_id is 'The asset.';
comment on column headgate.v_asset_processing_history.asset is 'Its code.';
comment on column headgate.v_asset_processing_history.operation is 'What was done.';
comment on column headgate.v_asset_processing_history.status is
    'success, failed, deferred, skipped or cancelled.';
comment on column headgate.v_asset_processing_history.ended_at is 'When it ended.';
comment on column headgate.v_asset_processing_history.records is 'Rows inserted or changed.';
comment on column headgate.v_asset_processing_history.api_calls_used is 'Units its calls cost.';
comment on column headgate.v_asset_processing_history.duration_ms is 'Time its calls took.';
comment on column headgate.v_asset_processing_history.attempts is 'Requests made.';
comment on column headgate.v_asset_processing_history.error is 'The error, or why it did not succeed.';
comment on column headgate.v_asset_processing_history.run_id is
    'The run; null: it is older than the history kept.';
comment on column headgate.v_asset_processing_history.verdict is
    'The verdict of the expectation that its last answer did not meet: degraded, failed, retry or skipped; null: it '
    'met all.';
comment on column headgate.v_asset_processing_history.reason is
    'Why it did not succeed, or is degraded, in a word or a sentence.';
comment on column headgate.v_asset_processing_history.cpu_ms is
    'Its share of the processor time that its handler took; null: it has no handler.';
comment on column headgate.v_asset_processing_history.peak_memory is
    'Peak memory of the handler''s process, in bytes; null: it has no handler.';
comment on column headgate.v_asset_processing_history.from_cache is
    'True: a cached answer served it, without a call.';
