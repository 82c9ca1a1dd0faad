-- What is due now. The clock is read once, and a rule is put into words once: a plain call would run for every row.

drop view if exists headgate.v_assets_needing_processing cascade;

create view headgate.v_assets_needing_processing as
select
    a.asset_id,
    a.code as asset,
    a.group_key,
    o.name as operation,
    case
        when s.reprocess_requested_at > coalesce(s.succeeded_at, '-infinity') then 'reset'
        when o.due_rule = 'run' then 'every run does it'
        when s.succeeded_at is null and s.watermark is null then 'new'
        else o.rule
    end as reason,
    s.next_due_at as due_since,
    s.watermark,
    o.units
from headgate.asset_processing_state as s
join (
    select
        r.operation_id,
        r.name,
        r.units,
        r.due_rule,
        case r.due_rule
            when 'session' then 'a session has closed'
            when 'every' then 'every ' || headgate.in_words(r.due_every)
            when 'after' then 'its input has changed'
            when 'function' then format('due by %s', r.due_function)
            else r.due_rule
        end as rule
    from headgate.operations as r
    offset 0
) as o using (operation_id)
join headgate.assets as a using (asset_id)
where s.next_due_at <= (select headgate.clock())
    and s.chunk_id is null
    and a.is_active;

comment on view headgate.v_assets_needing_processing is
    'Assets that are due and not held by a chunk, one row per operation.';
comment on column headgate.v_assets_needing_processing.asset_id is 'The asset.';
comment on column headgate.v_assets_needing_processing.asset is 'Its code.';
comment on column headgate.v_assets_needing_processing.group_key is 'Its group.';
comment on column headgate.v_assets_needing_processing.operation is 'What is due.';
comment on column headgate.v_assets_needing_processing.reason is 'Why: new, reset, or its due rule.';
comment on column headgate.v_assets_needing_processing.due_since is 'Since when.';
comment on column headgate.v_assets_needing_processing.watermark is 'How far its data reaches.';
comment on column headgate.v_assets_needing_processing.units is 'What one call costs.';
