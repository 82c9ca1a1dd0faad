-- The KPIs for those who decide: the last value, the one before, the target.

drop view if exists viral.v_executive cascade;

create view viral.v_executive as
select
    t.name,
    k.value,
    t.target,
    case
        when k.value is null or t.target is null then null
        else (k.value >= t.target) = t.is_higher_better or k.value = t.target
    end as is_on_target,
    k.value - k.previous as change,
    k.measured_at,
    k.average_7_days,
    k.run_id
from viral.kpi_targets as t
left join lateral (
    select
        h.*,
        lead(h.value) over (order by h.measured_at desc, h.run_id) as previous,
        avg(h.value) filter (where h.measured_at > headgate.clock() - interval '7 days') over () as average_7_days
    from viral.kpis as h
    where h.name = t.name
    order by h.measured_at desc, h.run_id
    limit 1
) as k on true
order by t.position;

comment on view viral.v_executive is 'Each KPI: its last value, the change since the run before, and its target.';
comment on column viral.v_executive.name is 'The KPI.';
comment on column viral.v_executive.value is 'Its last value; null: the run had nothing to measure it by.';
comment on column viral.v_executive.target is 'What it is to reach; null: nothing in particular.';
comment on column viral.v_executive.is_on_target is 'Whether it has reached it; null: there is nothing to compare.';
comment on column viral.v_executive.change is 'By how much it differs from that of the run before.';
comment on column viral.v_executive.measured_at is 'When it was measured.';
comment on column viral.v_executive.average_7_days is 'Its mean over the runs of seven days.';
comment on column viral.v_executive.run_id is 'The run that measured it.';
