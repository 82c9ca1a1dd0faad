-- Changes that wait for their export. From a function, because each log is a table of its own.

drop view if exists headgate.v_changes cascade;

create view headgate.v_changes as
select c.operation, c.changes_of, c.changes, c.oldest_at, c.bytes, c.is_behind, c.slot, c.slot_obstacle
from headgate.waiting_changes() as c;

comment on view headgate.v_changes is 'Changes of tables that wait for their export.';
comment on column headgate.v_changes.operation is 'The operation that exports them.';
comment on column headgate.v_changes.changes_of is 'The table.';
comment on column headgate.v_changes.changes is 'How many wait; null: in a slot, they are not counted.';
comment on column headgate.v_changes.oldest_at is
    'When the oldest of them was written; null: none waits. Of a slot: since when changes wait.';
comment on column headgate.v_changes.bytes is
    'How much room their log takes; of a slot, how much of its log the server keeps for it.';
comment on column headgate.v_changes.is_behind is
    'True: they wait longer than the setting changes_wait, or take more room than changes_bytes, or than half of '
    'max_slot_wal_keep_size.';
comment on column headgate.v_changes.slot is 'The replication slot that they are read from; null: triggers log them.';
comment on column headgate.v_changes.slot_obstacle is
    'Why triggers log them and no slot; null: a slot does, or changes_by could say so.';
