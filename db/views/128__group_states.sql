-- How each group's assets stand now, for freshness and backlog. The clock is read once.

drop view if exists headgate._group_states cascade;

create view headgate._group_states as
select
    o.operation_id,
    o.name as operation,
    s.group_key,
    count(*) as assets,
    count(*) filter (where s.has_data and not (s.is_failing or s.is_due and o.due_rule <> 'run')) as fresh,
    count(*) filter (where s.has_data and (s.is_failing or s.is_due and o.due_rule <> 'run')) as stale,
    count(*) filter (where not s.has_data) as never,
    min(s.watermark) as oldest_watermark,
    count(*) filter (where s.is_due and s.chunk_id is null) as due,
    min(s.next_due_at) filter (where s.is_due and s.chunk_id is null) as oldest_due_at
from (
    select
        s.operation_id,
        a.group_key,
        s.watermark,
        s.next_due_at,
        s.chunk_id,
        s.succeeded_at is not null or s.watermark is not null as has_data,
        coalesce(s.next_due_at <= (select headgate.clock()), false) as is_due,
        s.consecutive_failures > 0 as is_failing
    from headgate.asset_processing_state as s
    join headgate.assets as a using (asset_id)
    where a.is_active
) as s
join headgate.operations as o using (operation_id)
where not o.is_retired
group by o.operation_id, o.name, s.group_key;

comment on view headgate._group_states is 'How the active assets of each group stand, by operation.';
comment on column headgate._group_states.operation_id is 'The operation.';
comment on column headgate._group_states.operation is
    'Its name; a condition on it applies before anything is counted.';
comment on column headgate._group_states.group_key is 'The group.';
comment on column headgate._group_states.assets is 'Assets that need it.';
comment on column headgate._group_states.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate._group_states.stale is 'Assets that have it and are due, or fail.';
comment on column headgate._group_states.never is 'Assets that never had it.';
comment on column headgate._group_states.oldest_watermark is 'How far the data of the most outdated asset reaches.';
comment on column headgate._group_states.due is 'Assets that are due and not held by a chunk.';
comment on column headgate._group_states.oldest_due_at is 'Since when the first of them is due.';
