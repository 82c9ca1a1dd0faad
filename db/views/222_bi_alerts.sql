-- Alerts, for analysts.

drop view if exists headgate_bi.alerts cascade;

create view headgate_bi.alerts as
select
    a.raised_at,
    a.severity,
    a.subject,
    a.message,
    a.resolved_at is null as is_open,
    extract(epoch from coalesce(a.resolved_at, (select headgate.clock())) - a.raised_at)::double precision
        as open_seconds,
    a.resolved_at
from headgate.v_alerts as a;

comment on view headgate_bi.alerts is 'Alerts, open and resolved.';
comment on column headgate_bi.alerts.raised_at is 'When it was raised.';
comment on column headgate_bi.alerts.severity is 'warning or error.';
comment on column headgate_bi.alerts.subject is 'What it is about.';
comment on column headgate_bi.alerts.message is 'What is wrong and what to do.';
comment on column headgate_bi.alerts.is_open is 'True: its cause is not gone.';
comment on column headgate_bi.alerts.open_seconds is 'How long it was, or has been, open.';
comment on column headgate_bi.alerts.resolved_at is 'When its cause was gone; null: it is open.';
