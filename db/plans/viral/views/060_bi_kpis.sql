-- The KPIs of all runs, for analysts who look for a trend.

drop view if exists viral_bi.kpis cascade;

create view viral_bi.kpis as
select
    k.measured_at,
    k.run_id,
    k.name,
    t.title,
    t.unit,
    k.value,
    t.target
from viral.kpis as k
join viral.kpi_targets as t using (name);

comment on view viral_bi.kpis is 'The KPIs of each run of the flywheel, kept for good.';
comment on column viral_bi.kpis.measured_at is 'When it was measured.';
comment on column viral_bi.kpis.run_id is 'The run that measured it.';
comment on column viral_bi.kpis.name is 'The KPI.';
comment on column viral_bi.kpis.title is 'What reports call it.';
comment on column viral_bi.kpis.unit is 'share, of one; dollars; or count.';
comment on column viral_bi.kpis.value is 'Its value; null: the run had nothing to measure it by.';
comment on column viral_bi.kpis.target is 'What it is to reach today; null: nothing in particular.';
