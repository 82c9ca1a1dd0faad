-- Alerts: at most one open per subject, resolved when its cause is gone.

create table headgate.alerts (
    alert_id bigint generated always as identity,
    severity text not null,
    subject text not null,
    message text not null,
    raised_by text,
    raised_at timestamptz not null,
    resolved_at timestamptz,
    constraint alerts_pkey primary key (alert_id),
    constraint alert_severity_is_known check (severity in ('warning', 'error')),
    constraint alert_is_resolved_after_it_was_raised check (resolved_at >= raised_at)
);

comment on table headgate.alerts is 'Problems that need attention; read through headgate.v_alerts.';
comment on column headgate.alerts.alert_id is 'Surrogate key.';
comment on column headgate.alerts.severity is 'warning or error.';
comment on column headgate.alerts.subject is 'Its subject; a subject has at most one open alert.';
comment on column headgate.alerts.message is 'What is wrong and what to do, as first raised.';
comment on column headgate.alerts.raised_by is
    'The role that raised it; another plan''s role cannot resolve it. Null: the core, or unknown.';
comment on column headgate.alerts.raised_at is 'When it was raised.';
comment on column headgate.alerts.resolved_at is 'When its cause was gone; null: open.';

create index alerts_time_idx on headgate.alerts (raised_at);
comment on index headgate.alerts_time_idx is 'Lists the latest alerts.';

create unique index alerts_open_idx on headgate.alerts (subject) where resolved_at is null;
comment on index headgate.alerts_open_idx is 'One open alert per subject.';
