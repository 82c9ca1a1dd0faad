-- Work that takes only what a window has left is a property of the operation; a pipeline's share may name more.

alter table headgate.operations
    add column is_backfill boolean not null default false;

comment on column headgate.operations.is_backfill is
    'True: it takes what a window has left, after all other operations, not the units of what becomes due later.';
comment on column headgate.quota_shares.backfill_operations is
    'Operations that are a backfill in this pipeline, besides those that always are.';
