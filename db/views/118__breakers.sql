-- The current state of each breaker: calls flow, are blocked, or one probe goes first.

drop view if exists headgate._breakers cascade;

create view headgate._breakers as
select
    b.provider_id,
    b.operation_id,
    s.state,
    b.failures,
    b.auth_failures,
    case when s.state <> 'flowing' then b.blocked_until end as blocked_until,
    case when s.state <> 'flowing' then b.blocked_reason end as blocked_reason
from headgate.breakers as b
cross join (select headgate.clock() as now offset 0) as t
cross join lateral (
    select case
        when b.blocked_until > t.now then 'blocked'
        when b.opened > 0 then 'probing'
        else 'flowing'
    end as state
) as s;

comment on view headgate._breakers is 'The current state of each breaker, of a provider or of an operation.';
comment on column headgate._breakers.provider_id is 'The provider; null: an operation is guarded.';
comment on column headgate._breakers.operation_id is 'The operation; null: a provider is guarded.';
comment on column headgate._breakers.state is 'flowing, blocked or probing.';
comment on column headgate._breakers.failures is 'Consecutive failures, which open it.';
comment on column headgate._breakers.auth_failures is 'Consecutive internal faults in calling.';
comment on column headgate._breakers.blocked_until is 'No call is, or was, made before; null: calls flow.';
comment on column headgate._breakers.blocked_reason is 'Why it is, or was, blocked.';
