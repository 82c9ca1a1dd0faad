-- Which of several schedulers on one database has started an execution, and by which of its DAGs: only that one may say
-- that its run is gone.

-- squawk-ignore ban-drop-function
drop function if exists headgate.start_execution(text, text, timestamptz, jsonb, text, boolean);

alter table headgate.process_executions
    add column deployment text,
    add column dag text;

comment on column headgate.process_executions.deployment is
    'The scheduler that started it, where there are several on this database; null: it has no name.';
comment on column headgate.process_executions.dag is
    'The scheduler''s DAG whose run it is; null: the one that is named like the pipeline.';
