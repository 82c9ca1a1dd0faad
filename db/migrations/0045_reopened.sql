-- A run that had ended and goes on ends again by itself; and a run may be for a day that is past.

-- squawk-ignore ban-drop-function
drop function if exists headgate.start_execution(text, text, timestamptz, jsonb, text, boolean, text, text);
-- squawk-ignore ban-drop-function
drop function if exists headgate.open_runs(text, text);

alter table headgate.process_executions
    add column reopened_at timestamptz,
    add column is_backfill boolean not null default false,
    -- squawk-ignore constraint-missing-not-valid
    add constraint reopened_while_it_is_open check (reopened_at is null or finished_at is null),
    -- squawk-ignore constraint-missing-not-valid
    add constraint backfill_has_its_date check (not is_backfill or logical_date is not null);

comment on column headgate.process_executions.reopened_at is
    'When it was opened again after it had ended; null: it was not, or it has ended again.';
comment on column headgate.process_executions.is_backfill is
    'True: it was started late, for a logical date that is past.';

alter table headgate.process_steps
    add column reopened_from text,
    -- squawk-ignore constraint-missing-not-valid
    add constraint reopened_from_is_an_end check (reopened_from in ('succeeded', 'failed', 'skipped', 'cancelled'));

comment on column headgate.process_steps.reopened_from is
    'How it had ended before it was opened again, and ends if its task does not run; null: it waits for no task.';
