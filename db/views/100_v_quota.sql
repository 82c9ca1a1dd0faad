-- Quota windows: those that are open now first, then the latest.

drop view if exists headgate.v_quota cascade;

create view headgate.v_quota as
select
    p.name as provider,
    w.opened_at,
    w.closes_at,
    w.usable,
    w.reserved,
    w.spent,
    w.used_elsewhere,
    greatest(0, w.usable - w.used_elsewhere - w.reserved - w.spent) as remaining,
    w.blocked_until
from headgate.quota_windows as w
join headgate.providers as p using (provider_id)
cross join (select headgate.clock() as now offset 0) as t
order by w.opened_at <= t.now and t.now < w.closes_at desc, w.opened_at desc, p.name;

comment on view headgate.v_quota is
    'Quota windows, with the units promised, spent and left; open windows first.';
comment on column headgate.v_quota.provider is 'The provider.';
comment on column headgate.v_quota.opened_at is 'The window''s first moment.';
comment on column headgate.v_quota.closes_at is 'The provider''s reset.';
comment on column headgate.v_quota.usable is 'The provider''s limit less the buffer.';
comment on column headgate.v_quota.reserved is 'Units promised to planned jobs whose calls have not started.';
comment on column headgate.v_quota.spent is 'Units of calls that started.';
comment on column headgate.v_quota.used_elsewhere is 'Units the provider reports beyond our own ledger.';
comment on column headgate.v_quota.remaining is 'Units that may still be promised.';
comment on column headgate.v_quota.blocked_until is
    'No call is made before: the provider reported its quota as exhausted.';
