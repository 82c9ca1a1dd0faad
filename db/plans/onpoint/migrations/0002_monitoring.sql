-- Results of the monitoring.

create table onpoint.health_checks (
    run_id text not null,
    checked_at timestamptz not null,
    overall_status text not null,
    failed_checks text[] not null,
    detailed_results jsonb not null,
    constraint health_checks_pkey primary key (run_id),
    constraint overall_status_is_known check (overall_status in ('HEALTHY', 'UNHEALTHY'))
);

create index health_checks_checked_at_idx on onpoint.health_checks (checked_at);

comment on index onpoint.health_checks_checked_at_idx is 'Finds results that are old enough to be deleted.';
comment on table onpoint.health_checks is 'The results of pipeline_monitoring, run by run, for 90 days.';
comment on column onpoint.health_checks.run_id is 'The run.';
comment on column onpoint.health_checks.checked_at is 'When the checks ran.';
comment on column onpoint.health_checks.overall_status is 'HEALTHY or UNHEALTHY.';
comment on column onpoint.health_checks.failed_checks is 'The checks that were not HEALTHY.';
comment on column onpoint.health_checks.detailed_results is 'What each check found.';
