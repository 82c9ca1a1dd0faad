-- The breaker of each operation that makes calls; the provider's breaker applies as well.

drop view if exists headgate.v_operation_health cascade;

create view headgate.v_operation_health as
select
    o.name as operation,
    p.name as provider,
    coalesce(b.state, 'flowing') as state,
    coalesce(b.failures, 0) as failures,
    b.blocked_until,
    b.blocked_reason as reason
from headgate.operations as o
join headgate.providers as p using (provider_id)
left join headgate._breakers as b on b.operation_id = o.operation_id
where o.is_call
order by p.name, o.name;

comment on view headgate.v_operation_health is
    'The breaker of each operation that makes calls; the breaker of its provider applies as well.';
comment on column headgate.v_operation_health.operation is 'The operation.';
comment on column headgate.v_operation_health.provider is 'The provider it calls.';
comment on column headgate.v_operation_health.state is
    'flowing: it is called; blocked: it is not called until blocked_until; probing: one call goes first, '
    'and its answer decides.';
comment on column headgate.v_operation_health.failures is 'Consecutive failures of its calls, which open its breaker.';
comment on column headgate.v_operation_health.blocked_until is 'No call is, or was, made before; null: calls flow.';
comment on column headgate.v_operation_health.reason is 'Why it is, or was, blocked.';
