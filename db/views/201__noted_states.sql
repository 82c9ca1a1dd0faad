-- The state of each day as the maintenance has noted it, and of today as it was counted last until it is noted.

drop view if exists headgate._noted_states cascade;

create view headgate._noted_states as
select
    s.day, s.operation_id, s.group_key, s.assets, s.fresh, s.stale, s.never, s.oldest_watermark, s.due, s.oldest_due_at
from headgate.state_days as s
union all
select
    (select (headgate.clock() at time zone 'UTC')::date), g.operation_id, g.group_key, g.assets, g.fresh, g.stale,
    g.never, g.oldest_watermark, g.due, g.oldest_due_at
from headgate._counted_states as g
where not exists (
    select
    from headgate.state_days as s
    where s.day = (select (headgate.clock() at time zone 'UTC')::date)
);

comment on view headgate._noted_states is 'How each group stood at the end of what is noted of a day.';
comment on column headgate._noted_states.day is 'The day, UTC.';
comment on column headgate._noted_states.operation_id is 'The operation.';
comment on column headgate._noted_states.group_key is 'The group.';
comment on column headgate._noted_states.assets is 'Assets that need it.';
comment on column headgate._noted_states.fresh is 'Assets that have it and are not due, or that are in every run.';
comment on column headgate._noted_states.stale is 'Assets that have it and are due, or fail.';
comment on column headgate._noted_states.never is 'Assets that never had it.';
comment on column headgate._noted_states.oldest_watermark is 'How far the data of the most outdated asset reached.';
comment on column headgate._noted_states.due is 'Assets that were due and not held by a chunk.';
comment on column headgate._noted_states.oldest_due_at is 'Since when the first of them was due.';
