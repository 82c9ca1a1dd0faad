-- Changes that wait for their export. From a function, because each log is a table of its own.

drop view if exists headgate.v_changes cascade;

create view headgate.v_changes as
select c.operation, c.changes_of, c.changes, c.oldest_at, c.bytes, c.is_behind
from headgate.waiting_changes() as c;

comment on view headgate.v_changes is 'Changes of tables that wait for their export.';
comment on column headgate.v_changes.operation is 'The operation that exports them.';
comment on column headgate.v_changes.changes_of is 'The table.';
comment on column headgate.v_changes.changes is 'How many wait.';
comment on column headgate.v_changes.oldest_at is 'When the oldest of them was written; null: none waits.';
comment on column headgate.v_changes.bytes is 'How much room their log takes.';
comment on column headgate.v_changes.is_behind is
    'True: the oldest waits longer than the setting changes_wait, or the log is larger than changes_bytes.';
