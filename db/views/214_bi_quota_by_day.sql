-- Units by day, for analysts. A day begins and ends where the provider's does.

drop view if exists headgate_bi.quota_by_day cascade;

create view headgate_bi.quota_by_day as
select
    u.day,
    u.provider,
    u.pipeline,
    u.jobs,
    u.calls,
    u.units,
    w.usable
from (
    select
        (h.hour at time zone v.quota_zone)::date as day,
        v.provider_id,
        h.provider,
        h.pipeline,
        sum(h.jobs)::bigint as jobs,
        sum(h.calls)::bigint as calls,
        sum(h.units)::bigint as units
    from headgate_bi.jobs_by_hour as h
    join headgate.providers as v on v.name = h.provider
    group by 1, 2, h.provider, h.pipeline
    having sum(h.units) > 0
) as u
left join (
    select q.provider_id, (q.opened_at at time zone v.quota_zone)::date as day, sum(q.usable)::bigint as usable
    from headgate.quota_windows as q
    join headgate.providers as v using (provider_id)
    group by 1, 2
) as w using (provider_id, day);

comment on view headgate_bi.quota_by_day is 'Units spent by day, provider and pipeline.';
comment on column headgate_bi.quota_by_day.day is 'The day, in the provider''s time zone.';
comment on column headgate_bi.quota_by_day.provider is 'The provider.';
comment on column headgate_bi.quota_by_day.pipeline is 'The pipeline.';
comment on column headgate_bi.quota_by_day.jobs is 'Jobs that ended.';
comment on column headgate_bi.quota_by_day.calls is 'Requests made.';
comment on column headgate_bi.quota_by_day.units is 'Units charged for them.';
comment on column headgate_bi.quota_by_day.usable is
    'Units that may be spent in the windows that opened on the day, by all pipelines together.';
