-- The services' answers, run by run.

comment on schema freshpoc is 'FreshPoC_E2E: services called in strict order, and their answers.';

create table freshpoc.answers (
    run_id text not null,
    step text not null,
    service text not null,
    asked text not null,
    answer jsonb not null,
    answered_at timestamptz not null,
    constraint answers_pkey primary key (run_id, step, service)
);

comment on table freshpoc.answers is 'Each service''s answer in each run; a later one of the same run replaces it.';
comment on column freshpoc.answers.run_id is 'The run.';
comment on column freshpoc.answers.step is 'The step that called the service.';
comment on column freshpoc.answers.service is 'The service.';
comment on column freshpoc.answers.asked is 'The base URL that was called.';
comment on column freshpoc.answers.answer is 'Its answer: JSON, or text as a JSON string.';
comment on column freshpoc.answers.answered_at is 'When it was stored.';
