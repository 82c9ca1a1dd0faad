-- How the breaker of each operation that makes calls stands, beside its provider's.

drop view if exists headgate.v_operation_health cascade;

create view headgate.v_operation_health as
select
    o.name as operation,
    p.name as provider,
    case
        when k.blocked_until > t.now then 'blocked'
        when k.opened > 0 then 'probing'
        else 'flowing'
    end as state,
    coalesce(k.failures, 0) as failures,
    case when k.blocked_until > t.now or k.opened > 0 then k.blocked_until end as blocked_until,
    case when k.blocked_until > t.now or k.opened > 0 then k.blocked_reason end as reason
from headgate.operations as o
join headgate.providers as p using (provider_id)
left join headgate.operation_breakers as k using (operation_id)
cross join (select headgate.clock() as now offset 0) as t
where o.path is not null
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
