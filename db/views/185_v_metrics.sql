-- All metrics, for Prometheus and for people.

drop view if exists headgate.v_metrics cascade;

create view headgate.v_metrics as
select s.metric || s.suffix as name, m.type, m.help, s.labels, s.value
from (
    select j.* from headgate._job_metrics as j
    union all
    select r.* from headgate._run_metrics as r
    union all
    select t.* from headgate._state_metrics as t
) as s
join headgate._metric_names as m on m.name = s.metric;

comment on view headgate.v_metrics is
    'Metrics as Prometheus knows them: a row per sample. No counter goes down, not even when history is deleted.';
comment on column headgate.v_metrics.name is
    'Its name; of a histogram one of its samples, which end in _bucket, _sum and _count.';
comment on column headgate.v_metrics.type is 'counter, gauge or histogram.';
comment on column headgate.v_metrics.help is 'What it measures.';
comment on column headgate.v_metrics.labels is 'Its labels, texts by name.';
comment on column headgate.v_metrics.value is 'Its current value.';
