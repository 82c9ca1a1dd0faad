-- The state of each need, for plans.

drop view if exists headgate.v_asset_states cascade;

create view headgate.v_asset_states as
select
    a.asset_id,
    a.universe,
    a.code as asset,
    a.is_active,
    o.name as operation,
    s.watermark,
    s.next_due_at,
    s.succeeded_at,
    s.consecutive_failures,
    s.chunk_id is not null as is_held,
    s.bulk_misses,
    case
        when not a.is_active then 'inactive'
        when s.chunk_id is not null then 'held'
        when s.consecutive_failures >= 5 and s.next_due_at is null then 'left out'
        when s.next_due_at <= (select headgate.clock()) then 'due'
        when s.next_due_at is not null then 'waiting'
        when s.succeeded_at is null
            and s.watermark is null
            and (o.due_rule = 'after' or o.follows_operation_id is not null) then 'waiting'
        else 'done'
    end as status,
    s.last_error,
    s.last_failed_at
from headgate.asset_processing_state as s
join headgate.assets as a using (asset_id)
join headgate.operations as o using (operation_id);

comment on view headgate.v_asset_states is 'One need of one asset: its progress and when it is due.';
comment on column headgate.v_asset_states.asset_id is 'The asset.';
comment on column headgate.v_asset_states.universe is 'Its universe.';
comment on column headgate.v_asset_states.asset is 'Its code.';
comment on column headgate.v_asset_states.is_active is 'False: nothing is done for it.';
comment on column headgate.v_asset_states.operation is 'The need.';
comment on column headgate.v_asset_states.watermark is 'How far its data reaches.';
comment on column headgate.v_asset_states.next_due_at is
    'When it is, or became, due; null: not due, or left out after too many failures.';
comment on column headgate.v_asset_states.succeeded_at is 'Its last success.';
comment on column headgate.v_asset_states.consecutive_failures is 'Failures by its own fault since then.';
comment on column headgate.v_asset_states.is_held is 'True: a chunk holds it.';
comment on column headgate.v_asset_states.bulk_misses is
    'Consecutive bulk answers that did not contain it; after two it is requested alone.';
comment on column headgate.v_asset_states.status is
    'due; held (a chunk has it); waiting for next_due_at, or for the operations before it; done; left out after 5 '
    'failures in a row, until it is reset; inactive.';
comment on column headgate.v_asset_states.last_error is 'What went wrong last; null after a success.';
comment on column headgate.v_asset_states.last_failed_at is 'When it last failed by its own fault.';
