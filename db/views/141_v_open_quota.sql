-- The quota windows that are open now, with what was put off for want of units.

drop view if exists headgate.v_open_quota cascade;

create view headgate.v_open_quota as
select
    q.provider, q.opened_at, q.closes_at, q.usable, q.reserved, q.spent, q.used_elsewhere, q.remaining, q.blocked_until,
    (
        select sum(d.units)
        from headgate.v_deferrals as d
        join headgate.operations as o on o.name = d.operation
        join headgate.providers as p using (provider_id)
        where p.name = q.provider
            and d.reason = 'quota'
            and d.started_at >= q.opened_at
    ) as wanted
from headgate.v_quota as q
cross join (select headgate.clock() as now offset 0) as t
where q.opened_at <= t.now
    and q.closes_at > t.now
    and q.provider <> 'local'
order by q.provider;

comment on view headgate.v_open_quota is
    'The open quota windows of providers that are called, as in headgate.v_quota, and the units that were put off.';
comment on column headgate.v_open_quota.provider is 'The provider.';
comment on column headgate.v_open_quota.opened_at is 'The window''s first moment.';
comment on column headgate.v_open_quota.closes_at is 'The provider''s reset.';
comment on column headgate.v_open_quota.usable is 'The provider''s limit less the buffer.';
comment on column headgate.v_open_quota.reserved is 'Units promised to planned jobs whose calls have not started.';
comment on column headgate.v_open_quota.spent is 'Units of calls that started.';
comment on column headgate.v_open_quota.used_elsewhere is 'Units the provider reports beyond our own ledger.';
comment on column headgate.v_open_quota.remaining is 'Units that may still be promised.';
comment on column headgate.v_open_quota.blocked_until is
    'No call is made before: the provider reported its quota as exhausted.';
comment on column headgate.v_open_quota.wanted is
    'Units of what runs in this window put off because of the quota; null: nothing was.';
