-- The first hour that is not in headgate.job_hours: where none is, that of the first run.

drop view if exists headgate._open_since cascade;

create view headgate._open_since as
select coalesce(
    k.until,
    (select date_trunc('hour', min(e.started_at), 'UTC') from headgate.process_executions as e)
) as hour
from headgate.kept_hours as k;

comment on view headgate._open_since is 'The first hour that is not in headgate.job_hours: one row.';
comment on column headgate._open_since.hour is 'Its first moment; null: there has been no run.';
