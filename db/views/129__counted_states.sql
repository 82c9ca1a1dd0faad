-- How the groups stand for readers that ask often: as counted last, or now where there are no counts to rely on.

drop view if exists headgate._counted_states cascade;

create view headgate._counted_states as
with kept as materialized (select c.counted_at from headgate._counted as c)
select
    c.operation_id, o.name as operation, c.group_key, c.assets, c.fresh, c.stale, c.never, c.oldest_watermark, c.due,
    c.oldest_due_at, k.counted_at
from kept as k
cross join headgate.group_counts as c
join headgate.operations as o using (operation_id)
where not o.is_retired
union all
select
    g.operation_id, g.operation, g.group_key, g.assets, g.fresh, g.stale, g.never, g.oldest_watermark, g.due,
    g.oldest_due_at, t.now
from headgate._group_states as g
cross join (select headgate.clock() as now offset 0) as t
where not exists (select from kept);

comment on view headgate._counted_states is
    'How the active assets of each group stand, by operation, as counted last or now.';
comment on column headgate._counted_states.operation_id is 'The operation.';
comment on column headgate._counted_states.operation is 'Its name.';
comment on column headgate._counted_states.group_key is 'The group.';
comment on column headgate._counted_states.assets is 'Assets that need it.';
comment on column headgate._counted_states.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate._counted_states.stale is 'Assets that have it and are due, or fail.';
comment on column headgate._counted_states.never is 'Assets that never had it.';
comment on column headgate._counted_states.oldest_watermark is 'How far the data of the most outdated asset reaches.';
comment on column headgate._counted_states.due is 'Assets that are due and not held by a chunk.';
comment on column headgate._counted_states.oldest_due_at is 'Since when the first of them is due.';
comment on column headgate._counted_states.counted_at is 'When all of this was counted.';
