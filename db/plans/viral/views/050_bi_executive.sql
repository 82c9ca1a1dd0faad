-- The executive board as it is now, for analysts.

drop view if exists viral_bi.executive cascade;

create view viral_bi.executive as
select
    e.measured_at,
    e.name,
    t.title,
    t.unit,
    e.value,
    e.target,
    e.is_on_target,
    e.change,
    e.average_7_days,
    e.run_id
from viral.v_executive as e
join viral.kpi_targets as t using (name);

comment on view viral_bi.executive is 'Each KPI of the flywheel: its last value, how it changed, its target.';
comment on column viral_bi.executive.measured_at is 'When it was measured; null: not yet.';
comment on column viral_bi.executive.name is 'The KPI.';
comment on column viral_bi.executive.title is 'What reports call it.';
comment on column viral_bi.executive.unit is 'share, of one; dollars; or count.';
comment on column viral_bi.executive.value is 'Its last value; null: the run had nothing to measure it by.';
comment on column viral_bi.executive.target is 'What it is to reach; null: nothing in particular.';
comment on column viral_bi.executive.is_on_target is 'True: it has reached it; null: there is nothing to compare.';
comment on column viral_bi.executive.change is 'By how much it differs from that of the run before.';
comment on column viral_bi.executive.average_7_days is 'Its mean over the runs of seven days.';
comment on column viral_bi.executive.run_id is 'The run that measured it.';
