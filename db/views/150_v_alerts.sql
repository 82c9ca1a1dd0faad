-- Alerts, for people.

drop view if exists headgate.v_alerts cascade;

create view headgate.v_alerts as
select a.raised_at, a.severity, a.subject, a.message, a.resolved_at
from headgate.alerts as a;

comment on view headgate.v_alerts is 'Alerts; those without resolved_at are open.';
comment on column headgate.v_alerts.raised_at is 'When it was raised.';
comment on column headgate.v_alerts.severity is 'warning or error.';
comment on column headgate.v_alerts.subject is 'What it is about.';
comment on column headgate.v_alerts.message is 'What is wrong and what to do.';
comment on column headgate.v_alerts.resolved_at is 'When its cause was gone; null: open.';
