-- Which of several schedulers on one database has started an execution: only that one may say that its run is gone.

drop function if exists headgate.start_execution(text, text, timestamptz, jsonb, text, boolean);

alter table headgate.process_executions add column deployment text;

comment on column headgate.process_executions.deployment is
    'The scheduler that started it, where there are several on this database; null: it has no name.';
