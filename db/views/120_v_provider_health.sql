-- The state of each provider: calls flow, are blocked, or one probe goes first.

drop view if exists headgate.v_provider_health cascade;

create view headgate.v_provider_health as
select
    p.name as provider,
    coalesce(b.state, 'flowing') as state,
    coalesce(b.failures, 0) as failures,
    b.blocked_until,
    b.blocked_reason,
    case when p.start_every is not null then
        greatest(0, least(
            p.starts_at_once,
            floor(extract(epoch from t.now - r.next_start_at) / extract(epoch from p.start_every) + p.starts_at_once)
        ))::integer
    end as rate_tokens,
    coalesce(b.auth_failures, 0) as auth_failures,
    array(
        select o.name
        from headgate._breakers as k
        join headgate.operations as o on o.operation_id = k.operation_id
        where o.provider_id = p.provider_id
            and k.state <> 'flowing'
        order by o.name
    ) as blocked_operations
from headgate.providers as p
left join headgate._breakers as b using (provider_id)
left join headgate.rate_limiters as r using (provider_id)
cross join (select headgate.clock() as now offset 0) as t
order by p.name;

comment on view headgate.v_provider_health is 'The state of each provider: flowing, blocked or probing.';
comment on column headgate.v_provider_health.provider is 'The provider.';
comment on column headgate.v_provider_health.state is
    'flowing: calls are made; blocked: none is made until blocked_until; probing: one call goes first, '
    'and its answer decides.';
comment on column headgate.v_provider_health.failures is 'Its consecutive failures, which open its breaker.';
comment on column headgate.v_provider_health.blocked_until is 'No call is, or was, made before; null: calls flow.';
comment on column headgate.v_provider_health.blocked_reason is 'Why it is, or was, blocked.';
comment on column headgate.v_provider_health.rate_tokens is
    'Requests that may start at this moment; null: no limit.';
comment on column headgate.v_provider_health.auth_failures is
    'Consecutive internal faults in calling it (401, 403, no token): they end that execution''s work with it and '
    'block nothing else.';
comment on column headgate.v_provider_health.blocked_operations is
    'Its operations that are blocked or probing by themselves, with details in v_operation_health; its other '
    'operations continue.';
