-- What was due and not done, by day, for analysts.

drop view if exists headgate_bi.backlog_by_day cascade;

create view headgate_bi.backlog_by_day as
select
    n.day,
    o.name as operation,
    v.name as provider,
    n.group_key,
    n.due,
    n.due * o.units as units,
    n.oldest_due_at
from headgate._noted_states as n
join headgate.operations as o using (operation_id)
join headgate.providers as v using (provider_id);

comment on view headgate_bi.backlog_by_day is
    'What was due and not in flight, by day, operation and group, when the maintenance ran; today, until it has: now.';
comment on column headgate_bi.backlog_by_day.day is 'The day, UTC.';
comment on column headgate_bi.backlog_by_day.operation is 'The operation.';
comment on column headgate_bi.backlog_by_day.provider is 'The provider that the operation calls; local: none.';
comment on column headgate_bi.backlog_by_day.group_key is 'The group.';
comment on column headgate_bi.backlog_by_day.due is 'Assets that were due and not held by a chunk.';
comment on column headgate_bi.backlog_by_day.units is 'What their calls would cost, one call each.';
comment on column headgate_bi.backlog_by_day.oldest_due_at is 'Since when the first of them was due.';
