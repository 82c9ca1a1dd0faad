-- role: migrator
-- The schema in which everything of the core is. Roles are made before it (roles/), rights are given last (grants/).

create schema if not exists headgate authorization headgate_owner;

comment on schema headgate is
    'The plan: what exists, what is due, what it costs, what may be spent, what is in flight, what happened.';

create schema if not exists headgate_stage authorization headgate_owner;

comment on schema headgate_stage is
    'Rows that a database answered, on their way: a table for each operation with a stage; its completion merges them.';

create schema if not exists headgate_changes authorization headgate_owner;

comment on schema headgate_changes is
    'Changes of tables that wait for their export: a table for each operation with changes_of, written by triggers.';
