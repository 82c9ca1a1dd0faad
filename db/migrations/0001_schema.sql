-- role: migrator
-- The core's schemas. Roles are created before them (roles/), rights are granted last (grants/).

create schema if not exists headgate authorization headgate_owner;

comment on schema headgate is
    'The plan: what exists, what is due, what it costs, what may be spent, what is in flight, what happened.';

create schema if not exists headgate_stage authorization headgate_owner;

comment on schema headgate_stage is
    'Rows of other databases until they are merged: a table for each operation with a stage, merged by completions.';

create schema if not exists headgate_changes authorization headgate_owner;

comment on schema headgate_changes is
    'Changes of tables that wait for their export: a table for each operation with changes_of, written by triggers.';

create schema if not exists headgate_bi authorization headgate_owner;

comment on schema headgate_bi is
    'What analysts read: views of numbers, texts, dates and times only; the first column of each is its time.';
