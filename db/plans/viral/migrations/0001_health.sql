-- What the services answered when they were asked for their health, and what was concluded from it.

comment on schema viral is 'The viral learning flywheel: services, posts, patterns, variants, decisions, figures.';

create table viral.health_answers (
    run_id text not null,
    asset_id bigint not null,
    status integer,
    duration_ms numeric,
    body text,
    answered_at timestamptz not null,
    constraint health_answers_pkey primary key (run_id, asset_id)
);

comment on table viral.health_answers is 'Each service''s last answer in each run; one that did not answer has no row.';
comment on column viral.health_answers.run_id is 'The run.';
comment on column viral.health_answers.asset_id is 'The service.';
comment on column viral.health_answers.status is 'The answer''s HTTP status.';
comment on column viral.health_answers.duration_ms is 'How long it took, in milliseconds.';
comment on column viral.health_answers.body is 'What it said.';
comment on column viral.health_answers.answered_at is 'When.';

create table viral.health_checks (
    run_id text not null,
    checked_at timestamptz not null,
    overall_status text not null,
    report jsonb not null,
    constraint health_checks_pkey primary key (run_id),
    constraint overall_status_is_known check (overall_status in ('healthy', 'degraded', 'unhealthy'))
);

create index health_checks_checked_at_idx on viral.health_checks (checked_at);

comment on index viral.health_checks_checked_at_idx is 'Finds reports that are old enough to be deleted.';
comment on table viral.health_checks is 'A report of the services'' health for each run, for 30 days.';
comment on column viral.health_checks.run_id is 'The run.';
comment on column viral.health_checks.checked_at is 'When.';
comment on column viral.health_checks.overall_status is
    'unhealthy: a required service is; degraded: another is, or a service is slow.';
comment on column viral.health_checks.report is 'The report, as the step handed it out.';
