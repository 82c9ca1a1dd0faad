-- Figures: what the services measure of themselves, the KPIs made of it, and each run's report.

create table viral.metrics (
    run_id text not null,
    service text not null,
    name text not null,
    labels jsonb not null,
    value double precision not null,
    measured_at timestamptz not null,
    constraint metrics_pkey primary key (run_id, service, name, labels)
);

create index metrics_measured_at_idx on viral.metrics (measured_at);
create index metrics_name_idx on viral.metrics (name, measured_at);

comment on index viral.metrics_measured_at_idx is 'Finds samples that are old enough to be archived.';
comment on index viral.metrics_name_idx is 'Finds a counter''s value in the run before.';
comment on table viral.metrics is 'Samples of the services'' /metrics; those older than 30 days are in the archive.';
comment on column viral.metrics.run_id is 'The run that read it.';
comment on column viral.metrics.service is 'The service.';
comment on column viral.metrics.name is 'Its name there.';
comment on column viral.metrics.labels is 'Its labels.';
comment on column viral.metrics.value is 'Its value.';
comment on column viral.metrics.measured_at is 'When.';

create table viral.kpis (
    run_id text not null,
    name text not null,
    value double precision,
    measured_at timestamptz not null,
    constraint kpis_pkey primary key (run_id, name)
);

create index kpis_name_idx on viral.kpis (name, measured_at);

comment on index viral.kpis_name_idx is 'Finds a KPI''s history.';
comment on table viral.kpis is 'The KPIs of each run, kept for good.';
comment on column viral.kpis.run_id is 'The run.';
comment on column viral.kpis.name is 'The KPI.';
comment on column viral.kpis.value is 'Its value; null: the run had nothing to measure it by.';
comment on column viral.kpis.measured_at is 'When.';

create table viral.kpi_targets (
    name text not null,
    target double precision,
    is_higher_better boolean not null,
    position integer not null,
    title text not null,
    unit text not null,
    constraint kpi_targets_pkey primary key (name),
    constraint unit_is_known check (unit in ('share', 'dollars', 'count'))
);

comment on table viral.kpi_targets is 'What the KPIs are to reach.';
comment on column viral.kpi_targets.name is 'The KPI.';
comment on column viral.kpi_targets.target is 'What it is to reach; null: nothing in particular.';
comment on column viral.kpi_targets.is_higher_better is 'Whether it is to be at least that, or at most.';
comment on column viral.kpi_targets.position is 'Its place in reports.';
comment on column viral.kpi_targets.title is 'What reports call it.';
comment on column viral.kpi_targets.unit is 'share, which reports show in per cent; dollars; or count.';

insert into viral.kpi_targets (name, target, is_higher_better, position, title, unit) values
    ('engagement_rate', 0.06, true, 1, 'Engagement', 'share'),
    ('cost_per_follow', 0.01, false, 2, 'Cost of a new follower', 'dollars'),
    ('content_generated_total', null, true, 3, 'Posts generated', 'count'),
    ('pattern_accuracy', null, true, 4, 'Pattern accuracy', 'share'),
    ('revenue_projection_monthly', 20000, true, 5, 'Revenue projected for a month', 'dollars');

create table viral.reports (
    run_id text not null,
    report jsonb not null,
    html text not null,
    written_at timestamptz not null,
    constraint reports_pkey primary key (run_id)
);

create index reports_written_at_idx on viral.reports (written_at);

comment on index viral.reports_written_at_idx is 'Finds reports that are old enough to be deleted.';
comment on table viral.reports is 'A report of each flywheel, for 30 days.';
comment on column viral.reports.run_id is 'The run.';
comment on column viral.reports.report is 'What it found.';
comment on column viral.reports.html is 'The same as a page with charts.';
comment on column viral.reports.written_at is 'When.';
