-- All metrics, for Prometheus and for people.

drop view if exists headgate.v_metrics cascade;

create view headgate.v_metrics as
with declared as materialized (
    select p.* from headgate.plan_metrics() as p
)
select s.metric || s.suffix as name, m.type, m.help, s.labels, s.value
from (
    select j.* from headgate._job_metrics as j
    union all
    select r.* from headgate._run_metrics as r
    union all
    select t.* from headgate._state_metrics as t
    union all
    select
        'headgate_metric_errors'::text as metric, ''::text as suffix,
        jsonb_build_object('metric', d.name) as labels, count(d.error)::double precision as value
    from declared as d
    group by d.name
) as s
join headgate._metric_names as m on m.name = s.metric
union all
select d.name, d.type, d.help, d.labels, d.value
from declared as d
where d.value is not null;

comment on view headgate.v_metrics is
    'Metrics as Prometheus knows them: a row per sample. No counter goes down, not even when history is deleted.';
comment on column headgate.v_metrics.name is
    'Its name; of a histogram one of its samples, which end in _bucket, _sum and _count.';
comment on column headgate.v_metrics.type is 'counter, gauge or histogram.';
comment on column headgate.v_metrics.help is 'What it measures.';
comment on column headgate.v_metrics.labels is 'Its labels, texts by name.';
comment on column headgate.v_metrics.value is 'Its current value.';
